"""Keeps secrets out of texts that somebody may read."""

import json
import re
from collections.abc import Callable, Iterable
from urllib.parse import quote, quote_plus

from logs.plain_text import printable

ADDRESS = re.compile(r"(?<=://)[^\s\"]+")
MASK = "…"
SHORTEST = 4  # a shorter secret would blacken every line, and is none
LONGEST = 300  # characters of another's error

_known: set[str] = set()


def know(secrets: Iterable[str]) -> None:
    """Has `masked` hide these texts as well, for as long as the process runs."""
    global _mask  # noqa: PLW0603 - one for the process, as its log is
    if not _known.issuperset(texts := set(secrets)):
        _known.update(texts)
        _mask = masker(_known)


def masked(text: str) -> str:
    """The text without any secret of this process's settings, however it is quoted there."""
    return _mask(text)


def plain(error: BaseException) -> str:
    """The text of an exception that others raised: masked, printable, on one line, 300 characters.

    Its kind where it has no text. The mask comes before the cut: half a secret is not found.
    """
    text = printable(" ".join(masked(str(error)).split())) or type(error).__name__
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def without_credentials(text: str) -> str:
    """The text with `mongodb://…@host` for `mongodb://user:password@host`."""
    return ADDRESS.sub(_without_user, text)


def _without_user(found: re.Match[str]) -> str:
    # To the last @ of an address: a password may hold a slash or an @ that nobody escaped. A
    # pattern that ends in @ would look for it anew from each :// of a text that has many.
    user, at, rest = found[0].rpartition("@")
    return f"{MASK}@{rest}" if user and at else found[0]


def masker(secrets: Iterable[str]) -> Callable[[str], str]:
    """What writes `…` for each of the secrets, of 4 characters or more, and for credentials."""
    known = {form for text in secrets if len(text) >= SHORTEST for form in _forms(text)}
    if not known:
        return without_credentials
    # The longest first: one may begin as another does.
    pattern = re.compile("|".join(map(_pattern, sorted(known, key=len, reverse=True))))
    return lambda text: without_credentials(pattern.sub(MASK, text))


def _forms(text: str) -> set[str]:
    """As it stands, and as JSON, Python and addresses write it, also the one within the other."""
    forms = {text, quote(text), quote(text, safe=""), quote_plus(text)}
    for _ in range(2):
        forms |= {json.dumps(form, ensure_ascii=False)[1:-1] for form in forms}
        forms |= {repr(form)[1:-1] for form in forms}
    return forms


def _pattern(form: str) -> str:
    # An address writes the digits of %2F in either case.
    return re.sub("%[0-9A-Fa-f]{2}", lambda code: f"(?i:{code[0]})", re.escape(form))


_mask: Callable[[str], str] = without_credentials
