"""Parses JSON that a strict parser rejects, row by row: an invalid row loses no other."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from logs.redaction import plain

LONGEST_NUMBER = 400  # digits; a float ends at 309, and Python refuses whole numbers over 4,300
# An unterminated string reaches to the end, so that the search stays linear.
TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"?|[][{},]', re.DOTALL)
ID = re.compile(r'"id"\s*:\s*"((?:[^"\\]|\\.){1,128})"')
SPACE = " \t\r\n"


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A row that is not JSON, with its `id` if that can be read."""

    id: str
    reason: str


def loads(body: bytes) -> Any:
    """Returns the document, with NaN, infinity and lone surrogates where it has them.

    A byte that is not UTF-8 becomes a lone surrogate. A row of a list that cannot be parsed becomes
    an Unreadable. Raises ValueError for anything else that is not JSON, including a list that was
    cut short.
    """
    text = body.decode("utf-8", "surrogateescape").removeprefix("\ufeff").strip(SPACE)
    try:
        return _document(text)
    except (ValueError, RecursionError) as error:
        if not text.startswith("["):
            raise ValueError(plain(error)) from None
        return [_row(row) for row in _rows(text)]


def _document(text: str) -> Any:
    return json.loads(text, strict=False, parse_int=_whole)


def _whole(digits: str) -> float:
    return int(digits) if len(digits) < LONGEST_NUMBER else float(digits)


def _row(text: str) -> Any:
    try:
        return _document(text)
    except (ValueError, RecursionError) as error:
        found = ID.search(text)
        return Unreadable(found[1] if found else "?", f"its row is not valid JSON: {plain(error)}")


def _rows(text: str) -> Iterator[str]:
    """Yields the texts between a list's own commas."""
    depth, start = 0, 1
    for token in TOKEN.finditer(text):
        mark = token[0]
        if mark in ("[", "{"):
            depth += 1
        elif mark in ("]", "}"):
            depth -= 1
        if (mark == "," and depth == 1) or depth == 0:
            yield text[start : token.start()]
            start = token.end()
        if depth == 0:
            break
    if depth or start != len(text):
        raise ValueError("the list is not whole")
