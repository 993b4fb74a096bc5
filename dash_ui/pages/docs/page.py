"""Docs: the README and the guides."""

from typing import Any
from urllib.parse import unquote

import dash
import dash_bootstrap_components as dbc
from dash import ClientsideFunction, Input, Output, dcc, html
from flask import current_app

from api_client.client import Client
from dash_ui.components.elements import aria
from dash_ui.pages.docs.documents import PAGE, Guide, Guides, UnknownGuide, address
from settings import ROOT

PATH = PAGE
PATH_TEMPLATE = f"{PAGE}/<guide>"
NAME = "Docs"

EXPLORER = "KOINX_EXPLORER"
GUIDES = Guides(ROOT)


def layout(guide: str = "", **_query: Any) -> html.Div:
    """The page of a guide; of the README without a name."""
    name = unquote(guide)
    try:
        found = GUIDES.read(name)
    except UnknownGuide:
        return _page(None, _unknown(name))
    return _page(found, found.document.parts)


def _page(shown: Guide | None, parts: list[Any]) -> html.Div:
    return html.Div(
        [
            html.Span(id="guide-scrolled", hidden=True),
            dbc.Row(
                [
                    dbc.Col(_contents(shown), lg=3),
                    # No wider than is easy to read.
                    dbc.Col(html.Article(parts, className="guide"), lg=9),
                ],
                class_name="g-3",
            ),
        ],
        id="guide-page",
    )


def _contents(shown: Guide | None) -> html.Nav:
    items = []
    for guide in GUIDES.all():
        here = shown is not None and guide.name == shown.name
        current = aria(current="page") if here else {}
        # dcc.Link does not accept aria-current.
        link = html.A if here else dcc.Link
        item: list[Any] = [link(guide.title, href=address(guide.name), **current)]
        if here:
            sections = [one for one in guide.document.headings if one.level == 2]
            item.append(
                html.Ul([html.Li(html.A(one.text, href=f"#{one.anchor}")) for one in sections])
            )
        items.append(html.Li(item))
    explorer = html.A("API explorer", href=current_app.config[EXPLORER])
    return html.Nav(
        html.Ul([*items, html.Li(explorer)]), className="guide-contents", **aria(label="Guides")
    )


def _unknown(name: str) -> list[Any]:
    if not GUIDES.all():
        return [
            html.H1("Docs"),
            html.P(f"README.md and docs/ were not found in {ROOT}."),
        ]
    return [html.H1("Unknown guide"), html.P(f"There is no guide named {name!r}.")]


def register(app: dash.Dash, client: Client, _currency: str) -> None:
    """Serve the guides' files, link to the API explorer, and scroll to anchors."""
    app.server.config[EXPLORER] = f"{client.api_url}/docs"
    GUIDES.serve_files(app.server)
    app.clientside_callback(  # type: ignore[no-untyped-call]
        ClientsideFunction(namespace="guide", function_name="scroll"),
        Output("guide-scrolled", "children"),
        Input("guide-page", "id"),
    )
