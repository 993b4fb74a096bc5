"""Every error in one form, whatever path, method or body: never HTML, never a traceback."""

from collections.abc import Callable
from typing import Any, NoReturn, TypeVar

from flask import Flask, request
from flask_smorest import Api, Blueprint
from flask_smorest import abort as smorest_abort
from pymongo.errors import PyMongoError
from werkzeug.exceptions import (
    HTTPException,
    InternalServerError,
    MethodNotAllowed,
    NotFound,
    ServiceUnavailable,
)

import logs
from api.schemas.errors import Error
from api.schemas.fields import SHOWN, shown
from api.validation import describe_errors
from logs.redaction import plain

log = logs.get(__name__)
View = TypeVar("View", bound=Callable[..., Any])

# The seed's own endpoints answer errors under the key `error` as well.
LEGACY_PATHS = ("/stats", "/deviation", "/trigger-update", "/health")


def refuse(status: int, message: str) -> NoReturn:
    """Ends a request with an error that names the value, what is allowed, what to do."""
    smorest_abort(status, message=message)
    raise AssertionError


REASONS = {
    400: "No coin, or not a collected one",
    401: "Without the key: from another machine, through a proxy, or with LOCAL_ACCESS=key",
    403: "Sent by a page of another host",
    404: "There is no such thing, or nothing stored of it yet",
    410: "The quotes that it rests on are no longer kept",
    413: "A body of more than 64 kB",
    429: "Too many calls, or wrong keys, in a minute; Retry-After says how long to wait",
    502: "The source failed",
    503: "A server that it needs does not answer, its disk is full, or too many wait already",
    504: "It did not end within 8 s",
}
CHANGES = (401, 403, 413, 429, 503)  # what a restricted call may be refused with


def error_responses(
    blp: Blueprint, *statuses: int, schema: type[Error] = Error
) -> Callable[[View], View]:
    """Documents the errors that a view may answer with."""

    def documented(view: View) -> View:
        for status in statuses:
            view = blp.alt_response(status, schema=schema, description=REASONS[status])(view)
        return view

    return documented


class JsonErrorApi(Api):
    """flask-smorest's `{"code", "status", "message", "errors"}`, with a message on all of them.

    No status is documented for all: each view says which it may answer with.
    """

    ERROR_SCHEMA = Error
    DEFAULT_ERROR_RESPONSE_NAME = None

    def handle_http_exception(self, error: HTTPException) -> tuple[dict[str, Any], int, Any]:
        """The answer to an error that was raised or aborted with."""
        payload, code, headers = super().handle_http_exception(error)
        errors = payload.pop("errors", {})
        payload.setdefault("message", describe_errors(errors, request) or _plain(error))
        payload["errors"] = errors
        if request.path in LEGACY_PATHS:
            payload["error"] = payload["message"]
        if isinstance(error, MethodNotAllowed):
            headers = {**(headers or {}), "Allow": _allowed(error)}
        return payload, code, headers


def _plain(error: HTTPException) -> str:
    """What to say where no view said anything."""
    path = shown(request.path)
    if isinstance(error, NotFound):
        return f"There is nothing at {path}; /docs shows what there is"
    if isinstance(error, MethodNotAllowed):
        return f"{path} takes {_allowed(error)}, not {request.method[:SHOWN]}"
    if isinstance(error, InternalServerError):
        return "A fault of KoinX's own, which its log describes; trying again may help"
    return error.description or error.name


def _allowed(error: MethodNotAllowed) -> str:
    return ", ".join(sorted(error.valid_methods or ()))


def handle_database_errors(app: Flask, api: JsonErrorApi) -> None:
    """A database that does not answer is a 503, in one place for all views."""

    @app.errorhandler(PyMongoError)
    def unavailable(error: PyMongoError) -> tuple[dict[str, Any], int, Any]:
        log.warning("MongoDB failed", path=request.path, reason=plain(error))
        return api.handle_http_exception(
            ServiceUnavailable("The database does not answer; try again in a few seconds")
        )
