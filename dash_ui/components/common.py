"""What several pages are made of: the alert of a silent server, the tick of a page, a graph."""

import dash
from dash import ClientsideFunction, Input, Output, dcc, html


def silent_alert() -> html.Div:
    """What a script shows when the dashboard's own server no longer answers."""
    return html.Div(
        "The dashboard's own server does not answer: what you see is old, and its age is not "
        "known. ./koinx status shows what runs, with a new link; the page goes on trying.",
        className="alert alert-danger koinx-when-silent",
        role="alert",
    )


def register_tick(app: dash.Dash, name: str) -> None:
    """Passes a tick of the interval on only while somebody can see the page."""
    app.clientside_callback(  # type: ignore[no-untyped-call]
        ClientsideFunction(namespace="koinx", function_name="tick"),
        Output(f"{name}-tick", "data"),
        Input(f"{name}-interval", "n_intervals"),
    )


def graph(name: str) -> dcc.Graph:
    """An empty graph as high as its box; nothing of it is sent anywhere."""
    return dcc.Graph(
        id=name,
        responsive=True,
        style={"height": "100%"},
        config={"showSendToCloud": False, "displaylogo": False, "displayModeBar": False},
    )
