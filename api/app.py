"""The application factory."""

from typing import Any

import orjson
from flask import Flask
from flask.json.provider import JSONProvider

from api.cache.http_headers import add_cache_headers
from api.cache.middleware import CacheMiddleware
from api.errors import JsonErrorApi, handle_database_errors
from api.extensions import attach
from api.metrics.middleware import measure_requests
from api.openapi import swagger_ui
from api.openapi.spec import config, serve_openapi
from api.protection.auth import for_key_holders
from api.protection.security_headers import add_security_headers
from api.request_size import limit_request_size
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
from settings import Settings


class OrjsonProvider(JSONProvider):
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
    app.json = OrjsonProvider(app)
    app.url_map.merge_slashes = False  # no redirects: their answer is HTML
    app.config.update(config())
    on = attach(app, settings)
    api = JsonErrorApi(app)
    handle_database_errors(app, api)
    for module in (
        *(legacy, coins, quotes, candles, statistics, correlations, export),
        *(updates, events, repairs, health),
    ):
        api.register_blueprint(module.blp)
    app.register_blueprint(swagger_ui.blp)
    serve_openapi(app, api)
    limit_request_size(app)
    add_cache_headers(app, on)
    add_security_headers(app)
    measure_requests(app, on.request_metrics)
    # It gives nothing before somebody looks out for news, which a server's worker does.
    fast = CacheMiddleware(app.wsgi_app, on.response_cache, on.request_metrics)
    keyed = settings.local_access == "key"
    app.wsgi_app = for_key_holders(app, fast) if keyed else fast  # type: ignore[assignment, method-assign]
    return app
