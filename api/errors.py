"""Every error in one form, whatever path, method or body: never HTML, never a traceback."""

from typing import Any, NoReturn

from flask import Flask, request
from flask_smorest import Api
from flask_smorest import abort as smorest_abort
from pymongo.errors import PyMongoError
from werkzeug.exceptions import HTTPException, MethodNotAllowed, ServiceUnavailable

# The seed's own endpoints answer errors under the key `error` as well.
SEED_PATHS = ("/stats", "/deviation", "/trigger-update", "/health")


def refuse(status: int, message: str) -> NoReturn:
    """Ends a request with an error that names the value, what is allowed, what to do."""
    smorest_abort(status, message=message)
    raise AssertionError


class ErrorsInOneForm(Api):
    """flask-smorest's `{"code", "status", "message", "errors"}`, with a message on all of them."""

    def handle_http_exception(self, error: HTTPException) -> tuple[dict[str, Any], int, Any]:
        """The answer to an error that was raised or aborted with."""
        payload, code, headers = super().handle_http_exception(error)
        payload.setdefault("message", error.description or error.name)
        payload.setdefault("errors", {})
        if request.path in SEED_PATHS:
            payload["error"] = payload["message"]
        if isinstance(error, MethodNotAllowed) and error.valid_methods:
            headers = {**(headers or {}), "Allow": ", ".join(error.valid_methods)}
        return payload, code, headers


def translate_database_errors(app: Flask, api: ErrorsInOneForm) -> None:
    """A database that does not answer is a 503, in one place for all views."""

    @app.errorhandler(PyMongoError)
    def unavailable(error: PyMongoError) -> tuple[dict[str, Any], int, Any]:
        app.logger.warning("MongoDB: %s", str(error)[:300])
        return api.handle_http_exception(
            ServiceUnavailable("The database does not answer; try again in a few seconds")
        )
