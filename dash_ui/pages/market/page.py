"""Market: every coin with its price and the evidence behind it."""

from datetime import UTC, datetime
from typing import Any

import dash
import dash_bootstrap_components as dbc
from dash import ClientsideFunction, Input, Output, State, dcc, html

from api_client.client import ApiError, Client
from dash_ui.components import elements
from dash_ui.pages.market import cards, deviation_chart, outputs, table

PATH = "/"
NAME = "Market"

INTERVAL_MS = 5_000
UPDATE_BUTTON = {
    "id": "market-refresh",
    "label": "Refresh now",
    "message_id": "market-refreshed-text",
}


def layout() -> html.Div:
    """The page, empty; its callbacks fill in text and data and never rebuild it."""
    body = dbc.Row(
        [dbc.Col(table.panel(), xxl=9), dbc.Col(deviation_chart.panel(), xxl=3)],
        class_name="g-3",
    )
    return html.Div(
        [
            *elements.ticker("market", INTERVAL_MS),
            dcc.Store(id="market-read-at"),
            html.Span(id="market-beat", hidden=True),
            _header(),
            elements.silent_alert(),
            elements.alert("market"),
            html.P("Loading …", id="market-loading", className="text-body-secondary"),
            html.Div([cards.panel(), body], id="market-data", hidden=True),
        ]
    )


def _header() -> html.Div:
    as_of = [
        html.Span(id="market-as-of"),
        html.Span(id="market-age", className="koinx-when-known"),
    ]
    source = html.A("Data provided by CoinGecko", href="https://www.coingecko.com")
    return html.Div(
        [
            html.Div(
                [
                    elements.title("market", "Market"),
                    html.P(as_of, className="m-0"),
                    html.P(id="market-update", className="m-0 text-body-secondary"),
                    html.P(source, id="market-source", className="m-0", hidden=True),
                ],
                className="koinx-status",
            ),
            html.Div(elements.update_button(**UPDATE_BUTTON), className="koinx-refresh"),
        ],
        className="koinx-head",
    )


def register(app: dash.Dash, client: Client, currency: str) -> None:
    """Add the page's callbacks: they read from `client` and write data into the layout."""
    elements.register_tick(app, "market")
    elements.register_update_button(app, client, **UPDATE_BUTTON, busy_label="Refreshing …")
    app.clientside_callback(  # type: ignore[no-untyped-call]
        ClientsideFunction(namespace="koinx", function_name="search"),
        Output("market-grid", "dashGridOptions"),
        Input("market-search", "value"),
        State("market-grid", "dashGridOptions"),
        prevent_initial_call=True,
    )

    @app.callback(
        output=outputs.OUTPUTS,
        inputs={
            "_tick": Input("market-tick", "data"),
            "_refreshed": Input("market-refreshed-text", "children"),
            "unit": Input("market-unit", "value"),
            "read_at": State("market-read-at", "data"),
        },
        running=[(Output("market-interval", "disabled"), True, False)],
    )
    def show(
        _tick: float | None, _refreshed: str | None, unit: deviation_chart.Unit, read_at: str | None
    ) -> dict[str, Any]:
        now = datetime.now(UTC)
        try:
            coins = client.coins()
        except ApiError as error:
            return outputs.render_outage(error, now, read_at)
        try:
            update, error_of_update = client.last_update(), None
        except ApiError as error:
            update, error_of_update = None, error
        return outputs.render(coins, update, error_of_update, now=now, unit=unit, currency=currency)
