"""Keeps secrets out of texts that somebody may read."""

import json
import re
from collections.abc import Callable, Iterable

CREDENTIALS = re.compile(r"(?<=://)[^/@\s\"]+@")
MASK = "…"
SHORTEST = 4  # a shorter secret would blacken every line, and is none


def without_credentials(text: str) -> str:
    """The text with `mongodb://…@host` for `mongodb://user:password@host`."""
    return CREDENTIALS.sub(f"{MASK}@", text)


def masker(secrets: Iterable[str]) -> Callable[[str], str]:
    """What writes `…` for each of the secrets, of 4 characters or more, and for credentials."""
    known = {text for text in secrets if len(text) >= SHORTEST}
    # In JSON a quote or a backslash in a secret is written as two characters.
    known |= {json.dumps(text, ensure_ascii=False)[1:-1] for text in known}
    if not known:
        return without_credentials
    # The longest first: one may begin as another does.
    pattern = re.compile("|".join(map(re.escape, sorted(known, key=len, reverse=True))))
    return lambda text: without_credentials(pattern.sub(MASK, text))
