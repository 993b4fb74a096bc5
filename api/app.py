"""The application factory."""

from typing import Any

import orjson
from flask import Flask
from flask.json.provider import JSONProvider

from api.auth import for_key_holders
from api.cache.http_headers import cache_answers
from api.cache.middleware import FastPath
from api.errors import ErrorsInOneForm, translate_database_errors
from api.extensions import attach
from api.metrics.middleware import count_answers
from api.openapi import swagger_ui
from api.openapi.spec import config, serve_document
from api.request_size import refuse_large_requests
from api.resources import (
    candles,
    coins,
    correlations,
    events,
    export,
    health,
    legacy,
    quotes,
    repairs,
    statistics,
    updates,
)
from api.security_headers import guard_browsers
from settings import Settings


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
    app.url_map.merge_slashes = False  # no redirects: their answer is HTML
    app.config.update(config())
    on = attach(app, settings)
    api = ErrorsInOneForm(app)
    translate_database_errors(app, api)
    for module in (
        *(legacy, coins, quotes, candles, statistics, correlations, export),
        *(updates, events, repairs, health),
    ):
        api.register_blueprint(module.blp)
    app.register_blueprint(swagger_ui.blp)
    serve_document(app, api)
    refuse_large_requests(app)
    cache_answers(app, on)
    guard_browsers(app)
    count_answers(app, on.requests)
    # It gives nothing before somebody looks out for news, which a server's worker does.
    fast = FastPath(app.wsgi_app, on.snapshot, on.requests)
    keyed = settings.local_access == "key"
    app.wsgi_app = for_key_holders(app, fast) if keyed else fast  # type: ignore[assignment, method-assign]
    return app
