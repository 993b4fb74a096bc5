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
    """Give `app` every page and its callbacks. Layouts know of no app but the one that is asked
    for them: Dash's registry of pages is one for the whole process, while clients and callbacks
    belong to one app. A page with a PATH_TEMPLATE lays itself out by what its address says."""
    for order, page in enumerate(PAGES):
        template = getattr(page, "PATH_TEMPLATE", None)
        dash.register_page(  # type: ignore[no-untyped-call]
            page.__name__,
            path=page.PATH,
            path_template=template,
            name=page.NAME,
            title=f"{page.NAME} · {app.title}",
            order=order,
            layout=page.layout if template else _whatever_the_query(page.layout),
        )
        page.register(app, client, currency)


def _whatever_the_query(layout: Callable[[], html.Div]) -> Callable[..., html.Div]:
    return lambda **_query: layout()
