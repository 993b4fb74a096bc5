"""The dashboard's WSGI entry point, configured from the settings."""

import sys

import logs
from dash_ui.app import create_app
from logs.redaction import plain
from settings import load_or_exit
from settings.open_files import raise_limit
from supervisor.process_plan import local_url

raise_limit()
settings = load_or_exit()
logs.set_up("dashboard")
try:
    app = create_app(
        settings.dash_api_url or local_url(settings.api_host, settings.api_port),
        host=settings.dash_host,
        currency=settings.currency,
        api_key=settings.api_key.get_secret_value() if settings.api_key else None,
        password=settings.dash_password.get_secret_value() if settings.dash_password else None,
        home=settings.koinx_home,
        read_only=settings.dash_read_only,
    )
except OSError as error:
    sys.exit(
        f"KoinX cannot start:\nKOINX_HOME={settings.koinx_home} cannot be used for login links: "
        f"{plain(error)}. Set KOINX_HOME to a folder that you own, or set DASH_PASSWORD."
    )
server = app.server
