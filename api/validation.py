"""Validates requests before a view sees them: their size, their JSON body, their parameters."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import flask_smorest
import orjson
from flask import Flask, Request, request
from flask_smorest import abort
from marshmallow.validate import Range
from webargs import missing
from webargs.flaskparser import FlaskParser, is_json_request

from api.schemas import correlations, export
from api.schemas.fields import shown
from logs.redaction import plain
from market.model.quotes import MAX_ID_LENGTH

MAX_BODY_BYTES = 64 * 1024
# A cached response's key holds its query. No query that means something is longer, except those
# that name many coins, whose responses are not cached.
MAX_QUERY_BYTES = 1024
ONE_COIN_BYTES = len("coin=&") + MAX_ID_LENGTH
LONG_QUERIES = {  # by blueprint
    "export": MAX_QUERY_BYTES + export.MAX_COINS * ONE_COIN_BYTES,
    "correlations": MAX_QUERY_BYTES + correlations.MAX_COINS * ONE_COIN_BYTES,
}
MAX_PAGE = 1_000_000  # with 250 a page far inside what MongoDB can skip, 2^63 - 1
BODY_ERRORS = {  # what the OpenAPI document says of each operation with a body
    "400": "The request body is not valid JSON",
    "415": "The body's Content-Type is not application/json",
}

# marshmallow's own words for a bound, and ours, which follow the name and the value
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
    (r"Not a valid string\.", "a string"),
    (r"Not a valid list\.", "a list"),
    (r"Field may not be null\.", "anything but null"),
    (r"Invalid input type\.", "a JSON object"),
)
BODY = "_schema"  # marshmallow's name for what is wrong with a body as a whole

Path = tuple[str | int, ...]


def limit_request_size(app: Flask) -> None:
    """Answers 414 to a long query and 413 to a large body, whatever the path."""
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES

    @app.before_request
    def check_size() -> None:
        length = len(request.query_string)
        allowed = LONG_QUERIES.get(request.blueprint or "", MAX_QUERY_BYTES)
        if length > allowed:
            abort(414, message=f"The query has {length} bytes; at most {allowed} are allowed")
        # Flask checks a body's length when the body is read; most views read none.
        if (size := request.content_length or 0) > MAX_BODY_BYTES:
            abort(413, message=f"The body has {size} bytes; at most {MAX_BODY_BYTES} are allowed")


class JsonBodyParser(FlaskParser):
    """webargs' parser with orjson: the standard decoder fails on deep or long input with errors
    other than JSONDecodeError."""

    def _raw_load_json(self, req: Request) -> Any:
        body = req.get_data()
        if not body:
            return missing
        if not is_json_request(req):
            given = shown(req.content_type or "")
            abort(415, message=f"Content-Type is {given}: allowed is application/json")
        try:
            return orjson.loads(body)
        except orjson.JSONDecodeError as error:
            abort(400, message=f"The request body is not valid JSON: {plain(error)}")


class Blueprint(flask_smorest.Blueprint):
    """flask-smorest's blueprint with bounded page numbers and bodies of any content."""

    ARGUMENTS_PARSER = JsonBodyParser()

    def paginate(self, *args: Any, **kwargs: Any) -> Callable[..., Any]:
        """Paginates as flask-smorest does; refuses a page beyond a million with a 422."""
        decorator = super().paginate(*args, **kwargs)

        def bounded(view: Callable[..., Any]) -> Any:
            paged = decorator(view)
            schema = paged._apidoc["pagination"]["parameters"]["schema"]
            schema._declared_fields["page"].validators[:] = [Range(min=1, max=MAX_PAGE)]
            return paged

        return bounded

    def _document_pagination_metadata(self, spec: Any, resp_doc: dict[str, Any]) -> None:
        # flask-smorest documents an object; what goes over the wire is its JSON text.
        del spec
        resp_doc.setdefault("headers", {})[self.PAGINATION_HEADER_NAME] = {
            "description": "As a JSON object: total, total_pages, first_page, last_page, page, "
            "previous_page, next_page",
            "schema": {"type": "string", "contentMediaType": "application/json"},
        }


def describe_errors(errors: dict[str, Any], request: Request) -> str:
    """Describes webargs' errors, by location and field, in a sentence; empty without any.

    >>> describe_errors({"query": {"limit": ["Must be less than or equal to 9."]}}, request)
    "limit is '10': allowed is 9 or less"
    """
    return "; ".join(
        _sentence(str(path[0]), _given(request, location, path), text)
        for location, by_field in errors.items()
        for path, text in _texts(by_field, ())
    )


def _texts(found: Any, path: Path) -> Iterator[tuple[Path, str]]:
    """Each message with the path to its field, and to its item where that is a list."""
    if isinstance(found, dict):
        for key, inner in found.items():
            yield from _texts(inner, (*path, key))
    elif isinstance(found, list):
        for inner in found:
            yield from _texts(inner, path)
    else:
        yield path, str(found)


def _given(request: Request, location: str, path: Path) -> str | None:
    """The value that was sent, as an error shows it."""
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
        return None  # the value is missing, or the body is wrong as a whole
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
        value = ""  # the message names the value itself
    return f"{name}{value}: {text[:1].lower()}{text[1:].removesuffix('.')}"
