"""The dashboard as a server's worker runs it."""

from dash_ui.app import create_app
from dash_ui.specs import local_url
from settings import load_or_exit

settings = load_or_exit()
app = create_app(
    settings.dash_api_url or local_url(settings.api_host, settings.api_port),
    host=settings.dash_host,
    currency=settings.currency,
    api_key=settings.api_key.get_secret_value() if settings.api_key else None,
    password=settings.dash_password.get_secret_value() if settings.dash_password else None,
    home=settings.koinx_home,
)
server = app.server
