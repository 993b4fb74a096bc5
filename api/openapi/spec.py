"""Completes the OpenAPI document that flask-smorest generates: names, examples, caching."""

from collections.abc import Iterator
from functools import cache
from itertools import zip_longest
from typing import Any

from flask import Flask, Response, jsonify
from flask_smorest import Api

from api.cache.http_headers import NEVER_STORED
from api.protection.auth import KEY_HEADER
from api.validation import BODY_ERRORS, MAX_QUERY_BYTES

Document = dict[str, Any]

DESCRIPTION = """Cryptocurrency prices and statistics, with the evidence behind every number.

Times are UTC. An unknown number is null, never 0. Prices and market caps are in the stored
currency (CURRENCY). Data provided by CoinGecko, unless `source` says otherwise."""

# Operation ids that the path alone does not give
NAMES = {
    ("post", "/v1/updates"): "requestUpdate",
    ("post", "/trigger-update"): "triggerUpdate",
}
# Flask's routes describe their parameters only by type and length.
PATH_PARAMETERS = {
    "coin": {
        "description": "A coin's id. A retired id is answered with its successor's data",
        "example": "bitcoin",
    },
    "update_id": {
        "description": "An update's id, or `latest`",
        "example": "latest",
    },
}
CACHING_HEADERS = {
    "ETag": {
        "description": "The response's tag, for If-None-Match",
        "schema": {"type": "string"},
    },
    "Cache-Control": {
        "description": "For how many seconds the response is valid; no-cache: ask each time",
        "schema": {"type": "string"},
    },
}
NOT_MODIFIED = {
    "description": "Not modified: the response with the tag in If-None-Match is still valid",
    "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in CACHING_HEADERS},
}


def _refused(reasons: dict[str, str]) -> Document:
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    return {
        status: {"description": reason, "content": content} for status, reason in reasons.items()
    }


BODY_REFUSED = _refused(BODY_ERRORS)
QUERY_REFUSED = _refused(
    {"414": f"The query is longer than {MAX_QUERY_BYTES} bytes, not counting the coins it names"}
)


def openapi_config() -> dict[str, Any]:
    """Returns flask-smorest's configuration; new each time, since flask-smorest modifies it."""
    scheme = {"type": "apiKey", "in": "header", "name": KEY_HEADER}
    return {
        "API_TITLE": "KoinX",
        "API_VERSION": "1",
        "OPENAPI_VERSION": "3.1.0",
        "API_SPEC_OPTIONS": {
            "info": {
                "description": DESCRIPTION,
                "license": {"name": "MIT", "identifier": "MIT"},
            },
            "components": {"securitySchemes": {"apiKey": scheme}},
        },
    }


def serve_openapi(app: Flask, api: Api) -> None:
    """Serves `/openapi.json`, generated at the first request, when all views are known."""

    @cache
    def document() -> Document:
        return finalize(api.spec.to_dict())

    @app.get("/openapi.json")
    def openapi() -> Response:
        return jsonify(document())


def finalize(document: Document) -> Document:
    """Adds operation ids, examples and caching to the document, in a stable order."""
    for path, method, operation in operations(document):
        operation.setdefault("operationId", operation_id(method, path))
        if method == "get" and not NEVER_STORED & set(operation["tags"]):
            _describe_caching(operation["responses"])
        if "requestBody" in operation:
            operation["responses"].update(BODY_REFUSED)
        operation["responses"] |= QUERY_REFUSED
    for item in document["paths"].values():
        for parameter in item.get("parameters", ()):
            for key, text in PATH_PARAMETERS.get(parameter["name"], {}).items():
                parameter.setdefault(key, text)
    document["components"].setdefault("headers", {}).update(CACHING_HEADERS)
    ordered: Document = _ordered(document)
    return ordered


def operations(document: Document) -> Iterator[tuple[str, str, Document]]:
    """Yields each operation with its path and its method, in lower case."""
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if method != "parameters":
                yield path, method, operation


def operation_id(method: str, path: str) -> str:
    """Returns the name of a client's method: getCoinQuotes for `get /v1/coins/{coin}/quotes`."""
    if (method, path) in NAMES:
        return NAMES[method, path]
    parts = [part for part in path.split("/") if part not in ("", "v1")]
    name = method
    for part, following in zip_longest(parts, parts[1:], fillvalue=""):
        if not part.startswith("{"):
            one = part.removesuffix("s") if following.startswith("{") else part
            name += one.title().replace("-", "")
    return name


def _describe_caching(responses: Document) -> None:
    if "application/json" in responses["200"].get("content", {}):
        responses["200"].setdefault("headers", {}).update(NOT_MODIFIED["headers"])
        responses["304"] = NOT_MODIFIED


def _ordered(value: Any, *, as_is: bool = False) -> Any:
    """Sorts by name, except the fields of a schema, whose order is for people."""
    if isinstance(value, list):
        return [_ordered(one) for one in value]
    if not isinstance(value, dict):
        return value
    names = value if as_is else sorted(value)
    return {name: _ordered(value[name], as_is=name == "properties") for name in names}
