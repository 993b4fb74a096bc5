"""The Flask application factory."""

from typing import Any

import orjson
from flask import Flask
from flask.json.provider import JSONProvider

from api.cache.http_headers import add_cache_headers
from api.cache.middleware import CacheMiddleware
from api.errors import JsonErrorApi, handle_database_errors
from api.extensions import EXTENSION, Services
from api.metrics.middleware import measure_requests
from api.openapi import swagger_ui
from api.openapi.spec import openapi_config, serve_openapi
from api.protection.auth import require_key
from api.protection.security_headers import add_security_headers
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
from api.validation import limit_request_size
from settings import Settings


class OrjsonProvider(JSONProvider):
    """Flask's JSON by orjson, which writes aware times and turns NaN into null."""

    def dumps(self, obj: Any, **_: Any) -> str:
        """Encodes JSON."""
        return orjson.dumps(obj, option=orjson.OPT_NON_STR_KEYS).decode()

    def loads(self, s: str | bytes, **_: Any) -> Any:
        """Decodes JSON; raises ValueError."""
        return orjson.loads(s)


def create_app(settings: Settings) -> Flask:
    """Makes a fresh app. It answers whatever else is down, and consumes no events itself."""
    app = Flask("koinx", static_folder=None)
    app.json = OrjsonProvider(app)
    app.url_map.merge_slashes = False  # no redirects: Flask answers them in HTML
    app.config.update(openapi_config())
    services = app.extensions[EXTENSION] = Services(settings)
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
    add_cache_headers(app, services.update_watcher)
    add_security_headers(app)
    measure_requests(app, services.request_metrics)
    # The cache serves nothing until the update watcher runs, which a server's worker starts.
    cached = CacheMiddleware(app.wsgi_app, services.response_cache, services.request_metrics)
    needs_key = settings.local_access == "key"
    app.wsgi_app = require_key(app, cached) if needs_key else cached  # type: ignore[assignment, method-assign]
    return app
