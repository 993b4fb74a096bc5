"""The application factory."""

from pathlib import Path
from typing import Any

import flask_swagger_ui
import orjson
from flask import Blueprint, Flask, Response, request
from flask.json.provider import JSONProvider

from api import coins, stats, system, updates
from api.errors import ErrorsInOneForm, refuse, translate_database_errors
from api.guard import KEY_HEADER
from api.services import attach
from settings import Settings

MAX_BODY_BYTES = 64 * 1024
EXPLORER_FILES = Path(flask_swagger_ui.__file__).parent / "dist"

DESCRIPTION = """Cryptocurrency statistics, with what each number rests on.

Times are UTC. A number that is not known is null, never 0. Prices and caps are in the
collection's currency. Data provided by CoinGecko, unless `source` says otherwise."""


class Orjson(JSONProvider):
    """Flask's JSON through orjson, which writes aware times and refuses NaN by making it null."""

    def dumps(self, obj: Any, **_: Any) -> str:
        """JSON text."""
        return orjson.dumps(obj, option=orjson.OPT_NON_STR_KEYS).decode()

    def loads(self, s: str | bytes, **_: Any) -> Any:
        """The decoded value; raises ValueError."""
        return orjson.loads(s)


def create_app(settings: Settings) -> Flask:
    """A fresh app; it answers whatever else is down, and consumes nothing by itself."""
    app = Flask("koinx", static_folder=None)
    app.json = Orjson(app)
    app.config.update(
        API_TITLE="KoinX",
        API_VERSION="1",
        OPENAPI_VERSION="3.1.0",
        OPENAPI_URL_PREFIX="/",
        OPENAPI_JSON_PATH="openapi.json",
        OPENAPI_SWAGGER_UI_PATH="/docs",
        OPENAPI_SWAGGER_UI_URL="/docs/assets/",
        API_SPEC_OPTIONS={
            "info": {"description": DESCRIPTION},
            "components": {
                "securitySchemes": {
                    "apiKey": {"type": "apiKey", "in": "header", "name": KEY_HEADER}
                }
            },
        },
        MAX_CONTENT_LENGTH=MAX_BODY_BYTES,
    )
    attach(app, settings)
    api = ErrorsInOneForm(app)
    translate_database_errors(app, api)
    for module in (stats, coins, updates, system):
        api.register_blueprint(module.blp)
    # The explorer's files come from the package, so it works with no internet.
    app.register_blueprint(
        Blueprint("explorer", "koinx", static_folder=EXPLORER_FILES, static_url_path="/docs/assets")
    )
    app.before_request(_refuse_large_bodies)
    app.after_request(_security_headers)
    return app


def _refuse_large_bodies() -> None:
    # Flask looks at a body's length when the body is read; nothing here reads any.
    if (request.content_length or 0) > MAX_BODY_BYTES:
        refuse(413, f"The body has {request.content_length} bytes, allowed are {MAX_BODY_BYTES}")


def _security_headers(response: Response) -> Response:
    if request.method == "OPTIONS":
        response.headers.pop("Content-Type", None)  # Flask's answer to it is empty, and says HTML
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    response.headers.setdefault("X-Frame-Options", "DENY")
    response.headers.setdefault("Referrer-Policy", "no-referrer")
    return response
