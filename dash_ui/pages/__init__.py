"""The dashboard's pages, in the order of the navigation."""

import dash

from dash_ui.client import Client
from dash_ui.pages import market

PAGES = (market,)


def register(app: dash.Dash, client: Client, currency: str) -> None:
    """Give `app` every page and its callbacks. Layouts are static: Dash's registry of pages is
    one for the whole process, while clients and callbacks belong to one app."""
    for order, page in enumerate(PAGES):
        dash.register_page(  # type: ignore[no-untyped-call]
            page.__name__,
            path=page.PATH,
            name=page.NAME,
            title=f"{page.NAME} · {app.title}",
            order=order,
            layout=page.layout(),
        )
        page.register(app, client, currency)
