"""Market: every coin with its price and how far that is to be trusted."""

from datetime import UTC, datetime
from typing import Any

import dash
import dash_bootstrap_components as dbc
from dash import ClientsideFunction, Input, Output, State, dcc, html

from api_client.client import ApiError, Client
from dash_ui.auth.read_only import changing, refusal
from dash_ui.components import elements
from dash_ui.components import format as fmt
from dash_ui.pages.market import cards, deviation_chart, outputs, table
from dash_ui.pages.market import text as words

PATH = "/"
NAME = "Market"

INTERVAL_MS = 5_000


def layout() -> html.Div:
    """The page, empty; its callbacks fill in text and data and never rebuild it."""
    body = dbc.Row(
        [dbc.Col(table.panel(), xl=8), dbc.Col(deviation_chart.panel(), xl=4)],
        class_name="g-3",
    )
    return html.Div(
        [
            dcc.Interval(id="market-interval", interval=INTERVAL_MS),
            dcc.Store(id="market-tick"),
            dcc.Store(id="market-refreshed"),
            dcc.Store(id="market-read-at"),
            html.Span(id="market-beat", hidden=True),
            _header(),
            elements.silent_alert(),
            html.Div(
                [html.Strong(id="market-alert-what"), " ", html.Span(id="market-alert-next")],
                id="market-alert",
                className="alert alert-warning",
                role="alert",
                hidden=True,
            ),
            html.P("Reading the API …", id="market-loading", className="text-body-secondary"),
            html.Div([cards.panel(), body], id="market-data", hidden=True),
        ]
    )


def _header() -> html.Div:
    """The header, without its texts."""
    refused = refusal()
    return html.Div(
        [
            html.Div(
                [
                    html.Div(
                        [
                            html.H1("Market", className="h3 m-0"),
                            html.Span(id="market-simulated", className="koinx-badge", hidden=True),
                        ],
                        className="d-flex flex-wrap align-items-center gap-2",
                    ),
                    html.P(
                        [
                            html.Span(id="market-as-of"),
                            html.Span(id="market-age", className="koinx-when-known"),
                        ],
                        className="m-0",
                    ),
                    html.P(id="market-update", className="m-0 text-body-secondary"),
                    html.P(
                        html.A("Data provided by CoinGecko", href="https://www.coingecko.com"),
                        id="market-source",
                        className="m-0",
                        hidden=True,
                    ),
                ],
                className="koinx-status",
            ),
            html.Div(
                [
                    dbc.Button(
                        "Refresh now",
                        id="market-refresh",
                        color="primary",
                        disabled=refused is not None,
                    ),
                    html.P(
                        refused, id="market-refreshed-text", className="m-0 small", role="status"
                    ),
                ],
                className="koinx-refresh",
            ),
        ],
        className="koinx-head",
    )


def register(app: dash.Dash, client: Client, currency: str) -> None:
    """Add the page's callbacks: they read from `client` and write data into the layout."""
    elements.register_tick(app, "market")
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
            "_refreshed": Input("market-refreshed", "data"),
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
            return outputs.outage(error, now, read_at)
        try:
            update, trouble = client.last_update(), None
        except ApiError as error:
            update, trouble = None, error
        return outputs.shown(coins, update, trouble, now=now, unit=unit, currency=currency)

    @app.callback(
        Output("market-refreshed-text", "children"),
        Output("market-refreshed", "data"),
        Input("market-refresh", "n_clicks"),
        running=[
            (Output("market-refresh", "disabled"), True, False),
            (Output("market-refresh", "children"), "Refreshing …", "Refresh now"),
        ],
        prevent_initial_call=True,
    )
    @changing
    def refresh(_clicks: int | None) -> tuple[str, str]:
        try:
            client.refresh()
            said = words.changed(client.last_update())
        except ApiError as error:
            said = f"{error.message} {error.next_step}"
        now = datetime.now(UTC)
        return f"{fmt.moment(now)}: {said}", now.isoformat()
