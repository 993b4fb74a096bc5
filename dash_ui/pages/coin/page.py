"""Coin: one coin's history and statistics, with the evidence behind them."""

from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

import dash
import dash_bootstrap_components as dbc
from dash import ClientsideFunction, Input, Output, State, dcc, html, no_update

from api_client.client import ApiError, Client, Coin, UnknownCoin
from api_client.coin_history import Request, coin_path
from dash_ui.components import elements
from dash_ui.pages.coin import chart_panel, header, outputs, query, statistics
from dash_ui.pages.coin.csv_download import add_download
from dash_ui.pages.coin.query import Choice

PATH = "/coin"
PATH_TEMPLATE = "/coin/<coin_id>"
NAME = "Coin"

INTERVAL_MS = 2_000
REPAIR_CHECK_SECONDS = 30
"""New quotes show at once; repaired ones, which change no quote's time, after this long."""

CONTROLS = {
    "span": "coin-range",
    "kind": "coin-kind",
    "scale": "coin-scale",
    "include": "coin-include",
    "statistics": "coin-statistics-include",
}


def layout(coin_id: str = "", **parameters: Any) -> html.Div:
    """The page, empty, with the choices of its URL; callbacks fill in text and data.

    Without an id it shows the first coin by rank.
    """
    chosen = query.chosen(parameters)
    body = dbc.Row(
        [
            dbc.Col(chart_panel.panel(chosen), xl=8),
            dbc.Col(statistics.panel(chosen["statistics"]), xl=4),
        ],
        class_name="g-3",
    )
    return html.Div(
        [
            *elements.ticker("coin", INTERVAL_MS),
            *[dcc.Store(id=f"coin-{name}") for name in ("read-at", "seen")],
            dcc.Store(id="coin-id", data=unquote(coin_id)),
            html.Span(id="coin-beat", className="koinx-beat", hidden=True),
            header.panel(),
            elements.silent_alert(),
            elements.alert("coin", " ", html.A(id="coin-alert-link")),
            html.P("Loading …", id="coin-loading", className="text-body-secondary"),
            html.Div(body, id="coin-data", hidden=True),
        ],
        id="coin-page",
    )


def register(app: dash.Dash, client: Client, currency: str) -> None:
    """Add the page's callbacks: they read from `client` and write data into the layout."""
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
        return _answer(client, currency, coin_id, Choice(**choices), read_at=read_at, seen=seen)

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


def _answer(
    client: Client,
    currency: str,
    coin_id: str,
    choice: Choice,
    *,
    read_at: str | None,
    seen: dict[str, Any] | None,
) -> dict[str, Any]:
    """A value for each output; an API failure becomes an alert.

    `coin_id` is empty for the first coin by rank; `seen` is what the last answer stored.
    """
    now = datetime.now(UTC)
    try:
        coin = client.coin(coin_id) if coin_id else _first(client)
        # A given id stays: a late answer must not turn the next coin's page into this one's.
        known = {} if coin_id else {"id": coin.id}
        head = header.render(coin, currency, Request(coin_path(coin.id)).curl(client.api_url))
        if coin.freshness == "never" or coin.state == "retired":
            return outputs.render(coin, head, now, data=True, **known)
        if seen and seen["key"] == choice.key(coin) and _elapsed(seen, now) < REPAIR_CHECK_SECONDS:
            return outputs.render_ages(coin, head, now, seen, **known)
        reading = query.read(client, coin.id, choice)
        return outputs.render_reading(
            coin, head, now, reading, choice, currency=currency, api_url=client.api_url, **known
        )
    except UnknownCoin as error:
        return outputs.render_unknown(error, now)
    except ApiError as error:
        return outputs.render_outage(error, now, read_at)


def _first(client: Client) -> Coin:
    coins = client.coins()
    if not coins:
        raise UnknownCoin("No coins collected yet.", "Press Refresh now on the Market page.")
    return coins[0]


def _elapsed(seen: dict[str, Any], now: datetime) -> float:
    return (now - datetime.fromisoformat(seen["at"])).total_seconds()
