"""The dashboard's pages, in the order of the navigation."""

from collections.abc import Callable

import dash
from dash import html

from api_client.client import Client
from dash_ui.pages.coin import page as coin_page
from dash_ui.pages.docs import page as docs_page
from dash_ui.pages.market import page as market_page
from dash_ui.pages.servers import page as servers_page

PAGES = (market_page, coin_page, servers_page, docs_page)


def register(app: dash.Dash, client: Client, currency: str) -> None:
    """Add every page and its callbacks to `app`.

    Dash's page registry is global to the process while clients and callbacks belong to one app, so
    a layout uses only the app that serves the request. A page with a PATH_TEMPLATE builds its
    layout from its URL.
    """
    for order, page in enumerate(PAGES):
        template = getattr(page, "PATH_TEMPLATE", None)
        dash.register_page(  # type: ignore[no-untyped-call]
            page.__name__,
            path=page.PATH,
            path_template=template,
            name=page.NAME,
            title=f"{page.NAME} · {app.title}",
            order=order,
            layout=page.layout if template else _ignore_query(page.layout),
        )
        page.register(app, client, currency)


def _ignore_query(layout: Callable[[], html.Div]) -> Callable[..., html.Div]:
    return lambda **_query: layout()
