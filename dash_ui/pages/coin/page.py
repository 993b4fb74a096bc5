"""Coin: one coin's past, and what its statistics rest on."""

from typing import Any
from urllib.parse import unquote

import dash
import dash_bootstrap_components as dbc
from dash import ClientsideFunction, Input, Output, State, dcc, html, no_update

from api_client.client import ApiError, Client
from dash_ui.components import common
from dash_ui.pages.coin import chart, header, outputs, statistics
from dash_ui.pages.coin import query as coin_reading
from dash_ui.pages.coin.callbacks import Answers
from dash_ui.pages.coin.csv_download import add_download
from dash_ui.pages.coin.query import Choice

PATH = "/coin"
PATH_TEMPLATE = "/coin/<coin_id>"
NAME = "Coin"

INTERVAL_MS = 2_000
CONTROLS = {
    "span": "coin-range",
    "kind": "coin-kind",
    "scale": "coin-scale",
    "include": "coin-include",
    "statistics": "coin-statistics-include",
}


def layout(coin_id: str = "", **query: Any) -> html.Div:
    """The page, empty, with what its address says chosen; callbacks fill in text and data.

    Without an id it is of the first coin by rank.
    """
    chosen = coin_reading.chosen(query)
    body = dbc.Row(
        [
            dbc.Col(chart.panel(chosen), xl=8),
            dbc.Col(statistics.panel(chosen["statistics"]), xl=4),
        ],
        class_name="g-3",
    )
    return html.Div(
        [
            dcc.Interval(id="coin-interval", interval=INTERVAL_MS),
            dcc.Store(id="coin-tick"),
            dcc.Store(id="coin-read-at"),
            dcc.Store(id="coin-seen"),
            dcc.Store(id="coin-id", data=unquote(coin_id)),
            html.Span(id="coin-beat", className="koinx-beat", hidden=True),
            header.panel(),
            common.silent_alert(),
            html.Div(
                [
                    html.Strong(id="coin-alert-what"),
                    " ",
                    html.Span(id="coin-alert-next"),
                    " ",
                    html.A(id="coin-alert-link"),
                ],
                id="coin-alert",
                className="alert alert-warning",
                role="alert",
                hidden=True,
            ),
            html.P("Reading the API …", id="coin-loading", className="text-body-secondary"),
            html.Div(body, id="coin-data", hidden=True),
        ],
        id="coin-page",
    )


def register(app: dash.Dash, client: Client, currency: str) -> None:
    """Add the page's callbacks: they read from `client` and write data into the layout."""
    answers = Answers(client, currency)
    add_download(app.server, client.api_url)
    app.clientside_callback(  # type: ignore[no-untyped-call]
        ClientsideFunction(namespace="coin", function_name="tick"),
        Output("coin-tick", "data"),
        Input("coin-interval", "n_intervals"),
        State("coin-beat", "children"),
    )
    app.clientside_callback(  # type: ignore[no-untyped-call]
        ClientsideFunction(namespace="coin", function_name="address"),
        Input("coin-id", "data"),
        *[Input(control, "value") for control in CONTROLS.values()],
    )
    app.clientside_callback(  # type: ignore[no-untyped-call]
        ClientsideFunction(namespace="coin", function_name="go"),
        Input("coin-choose", "value"),
        prevent_initial_call=True,
    )

    @app.callback(
        output=outputs.OUTPUTS,
        inputs={
            "_tick": Input("coin-tick", "data"),
            "choices": {name: Input(control, "value") for name, control in CONTROLS.items()},
            "coin_id": State("coin-id", "data"),
            "read_at": State("coin-read-at", "data"),
            "seen": State("coin-seen", "data"),
        },
    )
    def show(
        _tick: float | None,
        choices: dict[str, str],
        coin_id: str,
        read_at: str | None,
        seen: dict[str, Any] | None,
    ) -> dict[str, Any]:
        return answers.to(coin_id, Choice(**choices), read_at, seen)

    @app.callback(
        Output("coin-choices", "children"),
        Input("coin-id", "data"),
        Input("coin-seen", "data"),
        State("coin-choices", "children"),
    )
    def choose(_coin: str, _seen: Any, known: list[Any] | None) -> Any:
        if known:
            return no_update
        try:
            return [html.Option(value=one.id, label=one.name) for one in client.coins()]
        except ApiError:
            return no_update
