"""Answers every error as JSON in one form, whatever the path, method or body."""

from collections.abc import Callable
from typing import Any, NoReturn, TypeVar

from flask import Flask, request
from flask_smorest import Api, Blueprint
from flask_smorest import abort as smorest_abort
from marshmallow import Schema
from marshmallow.fields import Dict, Integer, String
from pymongo.errors import PyMongoError
from werkzeug.exceptions import (
    HTTPException,
    InternalServerError,
    MethodNotAllowed,
    NotFound,
    ServiceUnavailable,
)

import logs
from api.schemas.fields import MAX_SHOWN, shown
from api.validation import describe_errors
from logs.redaction import plain

log = logs.get(__name__)
View = TypeVar("View", bound=Callable[..., Any])

# The endpoints of the original KoinX API answer errors under the key `error` as well.
LEGACY_PATHS = ("/stats", "/deviation", "/trigger-update", "/health")

DESCRIPTIONS = {
    400: "No coin given, or a coin that is not collected",
    401: "API key missing: needed from another machine, through a proxy, or with LOCAL_ACCESS=key",
    403: "Sent by a page of another site",
    404: "Not found, or nothing stored yet",
    410: "Needs quotes that retention has deleted",
    413: "The body is larger than 64 kB",
    429: "Too many calls, or too many wrong keys, in a minute; Retry-After says how long to wait",
    502: "The price source failed",
    503: "A required server does not respond, its disk is full, or too many requests are waiting",
    504: "The update did not finish within 8 s",
}
RESTRICTED = (401, 403, 413, 429, 503)  # how a restricted call may be refused


class Error(Schema):
    """An error."""

    code = Integer(required=True, metadata={"example": 400})
    status = String(required=True, metadata={"example": "Bad Request"})
    message = String(required=True, metadata={"example": "Coin parameter is required"})
    errors = Dict(required=True)


class LegacyError(Error):
    """An error of the original KoinX API's endpoints."""

    error = String(required=True, metadata={"example": "Coin parameter is required"})


def refuse(status: int, message: str, *, retry_after: int | None = None) -> NoReturn:
    """Ends the request with an error that names the value, what is allowed and what to do."""
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    smorest_abort(status, message=message, headers=headers)
    raise AssertionError


def error_responses(
    blp: Blueprint, *statuses: int, schema: type[Error] = Error
) -> Callable[[View], View]:
    """Documents the errors that a view may answer with."""

    def documented(view: View) -> View:
        for status in statuses:
            view = blp.alt_response(status, schema=schema, description=DESCRIPTIONS[status])(view)
        return view

    return documented


class JsonErrorApi(Api):
    """flask-smorest's Api, whose errors `{"code", "status", "message", "errors"}` get a message.

    No status is documented for all views: each view says which it may answer with.
    """

    ERROR_SCHEMA = Error
    DEFAULT_ERROR_RESPONSE_NAME = None

    def handle_http_exception(self, error: HTTPException) -> tuple[dict[str, Any], int, Any]:
        """Answers an error that was raised or aborted with."""
        payload, code, headers = super().handle_http_exception(error)
        errors = payload.pop("errors", {})
        payload.setdefault("message", describe_errors(errors, request) or _default_message(error))
        payload["errors"] = errors
        if request.path in LEGACY_PATHS:
            payload["error"] = payload["message"]
        if isinstance(error, MethodNotAllowed):
            headers = {**(headers or {}), "Allow": _allowed(error)}
        return payload, code, headers


def _default_message(error: HTTPException) -> str:
    """The message where no view gave one."""
    path = shown(request.path)
    if isinstance(error, NotFound):
        return f"There is nothing at {path}; see /docs for all paths"
    if isinstance(error, MethodNotAllowed):
        return f"{path} takes {_allowed(error)}, not {request.method[:MAX_SHOWN]}"
    if isinstance(error, InternalServerError):
        return "Internal error in KoinX; see the API's log. Trying again may help"
    return error.description or error.name


def _allowed(error: MethodNotAllowed) -> str:
    return ", ".join(sorted(error.valid_methods or ()))


def handle_database_errors(app: Flask, api: JsonErrorApi) -> None:
    """Answers 503, for all views, when MongoDB does not respond."""

    @app.errorhandler(PyMongoError)
    def unavailable(error: PyMongoError) -> tuple[dict[str, Any], int, Any]:
        log.warning("MongoDB failed", path=request.path, reason=plain(error))
        return api.handle_http_exception(
            ServiceUnavailable("MongoDB does not respond; try again in a few seconds")
        )
