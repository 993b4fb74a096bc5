"""Page elements that several pages share."""

from typing import Any
from urllib.parse import quote

import dash
from dash import ClientsideFunction, Input, Output, dcc, html


def aria(**attributes: str) -> dict[str, Any]:
    """Attributes for screen readers: `label` becomes `aria-label`, which is no Python name."""
    return {f"aria-{name}": text for name, text in attributes.items()}


def coin_url(coin: str) -> str:
    """The URL of a coin's page; the id may contain any characters."""
    return f"/coin/{quote(coin, safe='')}"


def silent_alert() -> html.Div:
    """The alert that a script shows when the dashboard's own server stops responding."""
    return html.Div(
        "The dashboard's own server does not answer: what you see is old, and its age is not "
        "known. ./koinx status shows what runs, with a new link; the page goes on trying.",
        className="alert alert-danger koinx-when-silent",
        role="alert",
    )


def register_tick(app: dash.Dash, name: str) -> None:
    """Pass the interval's ticks on, but only while the page is visible."""
    app.clientside_callback(  # type: ignore[no-untyped-call]
        ClientsideFunction(namespace="koinx", function_name="tick"),
        Output(f"{name}-tick", "data"),
        Input(f"{name}-interval", "n_intervals"),
    )


def curl_snippet(id: str, what: str) -> html.Details:
    """A collapsed API request as a curl command, empty, with a button that copies it."""
    return html.Details(
        [
            html.Summary(f"The request for {what}"),
            html.Code(id=id, className="koinx-curl"),
            html.Button(
                "Copy as curl",
                type="button",
                className="btn btn-sm btn-outline-secondary koinx-copy",
                **aria(label=f"Copy as curl: the request for {what}", controls=id),
            ),
            html.Span(role="status", className="small ms-2"),
        ],
        className="small mb-2",
    )


def graph(name: str) -> dcc.Graph:
    """An empty graph as high as its box; none of its data is sent to other sites."""
    return dcc.Graph(
        id=name,
        responsive=True,
        style={"height": "100%"},
        config={"showSendToCloud": False, "displaylogo": False, "displayModeBar": False},
    )
