"""Coin: one coin's past, and what its statistics rest on."""

from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

import dash
import dash_bootstrap_components as dbc
from dash import ClientsideFunction, Input, Output, State, dcc, html, no_update

from api_client.client import ApiError, Client, UnknownCoin
from api_client.coin_history import Request, coin_path
from dash_ui.components import elements
from dash_ui.pages.coin import chart_panel, header, outputs, query, statistics
from dash_ui.pages.coin.csv_download import add_download
from dash_ui.pages.coin.query import Choice

PATH = "/coin"
PATH_TEMPLATE = "/coin/<coin_id>"
NAME = "Coin"

INTERVAL_MS = 2_000
SURE_SECONDS = 30
"""What is repaired meanwhile shows after so long; a new quote shows at once."""

Answer = dict[str, Any]
CONTROLS = {
    "span": "coin-range",
    "kind": "coin-kind",
    "scale": "coin-scale",
    "include": "coin-include",
    "statistics": "coin-statistics-include",
}


def layout(coin_id: str = "", **parameters: Any) -> html.Div:
    """The page, empty, with what its address says chosen; callbacks fill in text and data.

    Without an id it is of the first coin by rank.
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
            dcc.Interval(id="coin-interval", interval=INTERVAL_MS),
            dcc.Store(id="coin-tick"),
            dcc.Store(id="coin-read-at"),
            dcc.Store(id="coin-seen"),
            dcc.Store(id="coin-id", data=unquote(coin_id)),
            html.Span(id="coin-beat", className="koinx-beat", hidden=True),
            header.panel(),
            elements.silent_alert(),
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


class Answers:
    """The answers of one API, whose prices are in `currency`."""

    def __init__(self, client: Client, currency: str) -> None:
        self._client = client
        self._currency = currency

    def to(self, coin: str, choice: Choice, read_at: str | None, seen: Answer | None) -> Answer:
        """A value for each output; `coin` is empty for the first by rank, `seen` is what the
        answer before left to remember. An API that gives no data is told, not raised."""
        now = datetime.now(UTC)
        try:
            # A given id stays: a late answer must not turn the next coin's page into this one's.
            if coin:
                return self._of(coin, choice, now, seen)
            first = self._first()
            return self._of(first, choice, now, seen) | {"id": first}
        except UnknownCoin as error:
            return outputs.unknown(error, now)
        except ApiError as error:
            return outputs.outage(error, now, read_at)

    def _of(self, id: str, choice: Choice, now: datetime, seen: Answer | None) -> Answer:
        client, currency = self._client, self._currency
        coin = client.coin(id)
        curl = Request(coin_path(id)).curl(client.api_url)
        if coin.freshness == "never" or coin.state == "retired":
            return outputs.without_data(coin, now, currency=currency, curl=curl)
        if seen and seen["key"] == choice.key(coin) and _age(seen["at"], now) < SURE_SECONDS:
            return outputs.lasting(coin, now, seen, currency=currency, curl=curl)
        found = query.read(client, id, choice)
        return outputs.shown(coin, found, choice, now, currency=currency, api_url=client.api_url)

    def _first(self) -> str:
        coins = self._client.coins()
        if not coins:
            raise UnknownCoin(
                "No coin is collected yet.", "Refresh now, on Market, fetches the first."
            )
        return coins[0].id


def _age(at: str, now: datetime) -> float:
    return (now - datetime.fromisoformat(at)).total_seconds()
