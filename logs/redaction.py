"""Makes text safe to show: hides secrets and escapes control characters."""

import json
import re
from collections.abc import Callable, Iterable
from urllib.parse import quote, quote_plus

ADDRESS = re.compile(r"(?<=://)[^\s\"]+")
MASK = "…"
SHORTEST = 4  # masking a shorter secret would blacken every line, and it protects nothing
LONGEST = 300  # characters of an error message from elsewhere
# Characters that control a terminal or disguise text: control characters except tab and newline,
# bidirectional marks, line separators, surrogates, tags.
UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)

_known: set[str] = set()


def printable(text: str) -> str:
    r"""Escapes every character that could control a terminal, as JSON does: `\u001b`."""
    return UNPRINTABLE.sub(lambda found: json.dumps(found[0])[1:-1], text)


def know(secrets: Iterable[str]) -> None:
    """Registers secrets that `masked` hides for as long as the process runs."""
    global _mask  # noqa: PLW0603 - one for the process, as its log is
    if not _known.issuperset(texts := set(secrets)):
        _known.update(texts)
        _mask = masker(_known)


def masked(text: str) -> str:
    """Hides every registered secret in the text, however it is quoted there."""
    return _mask(text)


def plain(error: BaseException) -> str:
    """Returns an exception's message masked, printable, on one line, at most 300 characters long.

    An exception without a message is named by its type. Masking comes before truncation, because
    half a secret would not be recognised.
    """
    text = printable(" ".join(masked(str(error)).split())) or type(error).__name__
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def without_credentials(text: str) -> str:
    """Replaces `mongodb://user:password@host` by `mongodb://…@host`."""
    return ADDRESS.sub(_without_user, text)


def _without_user(found: re.Match[str]) -> str:
    # Up to the last @ of an address: a password may contain an unescaped slash or @. A pattern
    # that ends in @ would search for it again from each :// of a text that has many.
    user, at, rest = found[0].rpartition("@")
    return f"{MASK}@{rest}" if user and at else found[0]


def masker(secrets: Iterable[str]) -> Callable[[str], str]:
    """Returns a function that replaces credentials, and secrets of 4 characters or more, by `…`."""
    known = {form for text in secrets if len(text) >= SHORTEST for form in _quoted_forms(text)}
    if not known:
        return without_credentials
    # The longest first: one secret may be the beginning of another.
    pattern = re.compile("|".join(map(_pattern, sorted(known, key=len, reverse=True))))
    return lambda text: without_credentials(pattern.sub(MASK, text))


def _quoted_forms(text: str) -> set[str]:
    """Returns the text as JSON, Python and URLs write it, including one within another."""
    forms = {text, quote(text), quote(text, safe=""), quote_plus(text)}
    for _ in range(2):
        forms |= {json.dumps(form, ensure_ascii=False)[1:-1] for form in forms}
        forms |= {repr(form)[1:-1] for form in forms}
    return forms


def _pattern(form: str) -> str:
    # A URL writes the digits of %2F in either case.
    return re.sub("%[0-9A-Fa-f]{2}", lambda code: f"(?i:{code[0]})", re.escape(form))


_mask: Callable[[str], str] = without_credentials
