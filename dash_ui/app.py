"""The dashboard's application: the frame around its pages, and its protection."""

from pathlib import Path

import dash
import dash_bootstrap_components as dbc
from dash import ClientsideFunction, Input, html
from flask import Response

from api_client.client import READ_SECONDS, Client
from dash_ui import pages
from dash_ui.auth.csrf import reject_cross_site_requests
from dash_ui.auth.read_only import make_read_only
from dash_ui.auth.session import require_login
from dash_ui.compression import compress_responses, dated_asset
from supervisor.state_dir import StateDir

LOOPBACK = ("127.0.0.1", "localhost")
EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104 - compared with, not listened on

INDEX = """<!DOCTYPE html>
<html lang="en">
    <head>
        {%metas%}
        <title>{%title%}</title>
        <link rel="icon" type="image/svg+xml" href="@favicon">
        {%css%}
        <script src="@theme"></script>
    </head>
    <body>
        <noscript>KoinX's dashboard needs JavaScript; the API does not.</noscript>
        {%app_entry%}
        <footer>{%config%}{%scripts%}{%renderer%}</footer>
    </body>
</html>"""


def create_app(
    api_url: str,
    *,
    host: str = LOOPBACK[0],
    currency: str = "usd",
    timeout: float = READ_SECONDS,
    refresh_timeout: float = 10.0,
    api_key: str | None = None,
    password: str | None = None,
    home: Path | None = None,
    read_only: bool = False,
) -> dash.Dash:
    """A new dashboard for the API at `api_url`; `.server` is its WSGI application.

    Requests whose Host header is neither `host` nor a loopback name get 400; if `host` is every
    address and there is a `password`, any name is served. `currency` is that of the API's prices;
    `timeout` and `refresh_timeout` limit, in seconds, each read and each update. The Servers page
    controls the processes of `home`; without one it shows none. Everything but the health check,
    `GET /health`, requires a login link created in `home`, or the `password`; with neither, nothing
    does. `read_only` refuses every change. OSError if `home` cannot be used.
    """
    app = dash.Dash(
        __name__,
        title="KoinX",
        # Otherwise the title reads "Updating..." every few seconds.
        update_title="",
        use_pages=True,
        pages_folder="",
        include_pages_meta=False,
        serve_locally=True,
        # INDEX loads it in the head, so that the page is never painted in the wrong theme.
        assets_ignore=r"theme\.js",
        # After the reader leaves a page whose callback still runs, the elements that `running` sets
        # are gone, which Dash would report as an error. tests/dash_ui/test_app_ids.py finds
        # misspelt ids instead.
        suppress_callback_exceptions=True,
        health_endpoint="health",
        add_log_handler=False,
        meta_tags=[{"name": "viewport", "content": "width=device-width, initial-scale=1"}],
    )
    app.index_string = INDEX
    for mark, asset in (("@favicon", "favicon.svg"), ("@theme", "theme.js")):
        app.index_string = app.index_string.replace(mark, dated_asset(app, asset))
    app.server.config["KOINX_HOME"] = home
    if read_only:
        make_read_only(app.server)
    pages.register(app, Client(api_url, timeout, refresh_timeout, api_key), currency)
    app.layout = _frame(read_only=read_only)
    app.clientside_callback(  # type: ignore[no-untyped-call]
        ClientsideFunction(namespace="koinx", function_name="theme"), Input("theme", "value")
    )
    if password is None or host not in EVERYWHERE:
        app.server.config["TRUSTED_HOSTS"] = [*LOOPBACK, host]
    require_login(app.server, StateDir(home) if home else None, password)
    reject_cross_site_requests(app.server, api_key or app.server.secret_key)
    _guard(app)
    compress_responses(app.server)
    return app


def _frame(*, read_only: bool) -> html.Div:
    links = []
    for page in dash.page_registry.values():
        active = "partial" if page["path_template"] else "exact"
        link = dbc.NavLink(page["name"], href=page["relative_path"], active=active)
        links.append(dbc.NavItem(link))
    themes = [{"label": name.capitalize(), "value": name} for name in ("system", "light", "dark")]
    header = dbc.Container(
        [
            html.Span("KoinX", className="koinx-brand"),
            dbc.Nav(links, class_name="me-auto"),
            html.Label("Theme", htmlFor="theme", className="koinx-label"),
            dbc.Select(
                id="theme",
                options=themes,
                value="system",
                persistence=True,
                persistence_type="local",
                size="sm",
                class_name="w-auto",
            ),
        ],
        fluid=True,
        class_name="koinx-bar koinx-page",
    )
    return html.Div(
        [
            html.Header(header, className="border-bottom"),
            html.Main(dbc.Container(dash.page_container, fluid=True, class_name="koinx-page py-3")),
        ],
        className="koinx-read-only" if read_only else None,
    )


def _guard(app: dash.Dash) -> None:
    # Dash adds its pages, with an inline script, before the first request. Doing it here avoids a
    # race with a second request, and makes every script's hash known.
    with app.server.test_request_context():
        app.server.preprocess_request()
    policy = "; ".join(
        [
            "default-src 'self'",
            f"script-src 'self' {' '.join(app.csp_hashes())}",
            # The grid and the chart write inline styles.
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data: blob:",
            "font-src 'self' data:",
            "object-src 'none'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        ]
    )

    @app.server.after_request
    def add_headers(response: Response) -> Response:
        response.headers["Content-Security-Policy"] = policy
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "no-referrer"
        return response
