"""What is wrong with a request's parameters, in plain words."""

import re
from collections.abc import Iterator
from typing import Any

import orjson
from flask import Request

from api.schemas.fields import shown

# marshmallow's own words for a bound, and ours, which follow the name and the value.
PLAIN = (
    (r"Must be greater than or equal to (\S+) and less than or equal to (\S+)\.", r"\1 to \2"),
    (r"Must be greater than or equal to (\S+)\.", r"\1 or more"),
    (r"Must be less than or equal to (\S+)\.", r"\1 or less"),
    (r"Must be one of: (.+)\.", r"one of \1"),
    (r"Length must be between (\d+) and (\d+)\.", r"a length of \1 to \2"),
    (r"Longer than maximum length (\d+)\.", r"a length of at most \1"),
    (r"Shorter than minimum length (\d+)\.", r"a length of at least \1"),
    (r"Not a valid integer\.", "a whole number"),
    (r"Not a valid number\.", "a number"),
    (r"Not a valid boolean\.", "true or false"),
    (r"Not a valid string\.", "a text"),
    (r"Not a valid list\.", "a list"),
    (r"Field may not be null\.", "anything but null"),
    (r"Invalid input type\.", "a JSON object"),
)
BODY = "_schema"  # marshmallow's name for what is wrong with a body as a whole

Path = tuple[str | int, ...]


def describe_errors(errors: dict[str, Any], request: Request) -> str:
    """A sentence of webargs' errors, by location and field; empty without any.

    >>> describe_errors({"query": {"limit": ["Must be less than or equal to 9."]}}, request)
    "limit is '10': allowed is 9 or less"
    """
    return "; ".join(
        _sentence(str(path[0]), _given(request, location, path), text)
        for location, by_field in errors.items()
        for path, text in _texts(by_field, ())
    )


def _texts(found: Any, path: Path) -> Iterator[tuple[Path, str]]:
    """Each text with the way to its field, and to its item where that is a list."""
    if isinstance(found, dict):
        for key, inner in found.items():
            yield from _texts(inner, (*path, key))
    elif isinstance(found, list):
        for inner in found:
            yield from _texts(inner, path)
    else:
        yield path, str(found)


def _given(request: Request, location: str, path: Path) -> str | None:
    """What was sent, as an error shows it."""
    name, items = str(path[0]), path[1:]
    if location == "json":
        return _given_in(request.get_data(), path)
    sent = request.headers.getlist(name) if location == "headers" else request.args.getlist(name)
    if items and isinstance(items[0], int):
        sent = sent[items[0] :][:1]
    return shown(",".join(sent)) if sent else None


def _given_in(body: bytes, path: Path) -> str | None:
    try:
        found = orjson.loads(body)
        for step in path:
            found = found[step]
    except (ValueError, LookupError, TypeError):
        return None  # what is missing, or wrong as a whole
    return "null" if found is None else shown(found)


def _sentence(name: str, given: str | None, text: str) -> str:
    name = "the body" if name == BODY else name
    if text == "Missing data for required field.":
        return f"{name} is missing"
    value = f" is {given}" if given else ""
    for theirs, ours in PLAIN:
        if found := re.fullmatch(theirs, text):
            return f"{name}{value}: allowed is {found.expand(ours)}"
    if given and given in text:
        value = ""  # it names the value by itself
    return f"{name}{value}: {text[:1].lower()}{text[1:].removesuffix('.')}"
