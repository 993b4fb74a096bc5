"""The Coin page's header: the coin, its newest price, and that price's time."""

from typing import Any

import dash_bootstrap_components as dbc
from dash import Output, html

from api_client.client import Coin
from dash_ui.components import format as fmt
from dash_ui.components.elements import curl_snippet, title

PARTS = ("name", "price", "change", "more", "as-of", "age", "fresh", "curl")
OUTPUTS = {
    **{part: Output(f"coin-{part}", "children") for part in PARTS},
    "exact": Output("coin-price", "title"),
    "class": Output("coin-change", "className"),
    "simulated": Output("coin-simulated", "children"),
    "no_simulated": Output("coin-simulated", "hidden"),
}


def panel() -> html.Div:
    """The header, without its texts, and the field for another coin."""
    price = [
        html.Span(id="coin-price", className="koinx-card-price me-3"),
        html.Span(id="coin-change"),
    ]
    as_of = [
        html.Span(id="coin-as-of"),
        html.Span(id="coin-age", className="koinx-when-known"),
        html.Span(id="coin-fresh", className="koinx-when-known ms-2 text-nowrap"),
        html.Span("? age unknown", className="koinx-when-unknown ms-2"),
    ]
    return html.Div(
        [
            html.Div(
                [
                    title("coin", "Coin", id="coin-name"),
                    html.P(price, className="m-0"),
                    html.P(id="coin-more", className="m-0 text-body-secondary"),
                    html.P(as_of, className="mb-1"),
                    curl_snippet("coin-curl", "Price"),
                ],
                className="koinx-status",
            ),
            html.Div(
                [
                    html.Label(["Go to coin ", html.Kbd("/")], htmlFor="coin-choose"),
                    dbc.Input(
                        id="coin-choose",
                        type="search",
                        list="coin-choices",
                        debounce=True,
                        placeholder="coin id, then Enter",
                        autocomplete="off",
                        size="sm",
                    ),
                    html.Datalist(id="coin-choices"),
                ],
                className="koinx-refresh",
            ),
        ],
        className="koinx-head",
    )


def render(coin: Coin, currency: str, curl: str) -> dict[str, Any]:
    """The header of a coin."""
    simulated = fmt.simulated([coin])
    known = coin.as_of is not None
    rank = f"Rank {coin.rank} · " if coin.rank is not None else ""
    return {
        "name": f"{coin.name} {coin.symbol.upper()}".strip(),
        "price": fmt.price(coin.price, currency),
        "exact": fmt.exact(coin.price, currency),
        "change": f"{fmt.change(coin.change_24h)} in 24 h",
        "class": fmt.change_class(coin.change_24h),
        "more": f"{rank}market cap {fmt.big(coin.market_cap, currency)} · "
        f"24 h volume {fmt.big(coin.volume_24h, currency)}",
        "as-of": f"As of {fmt.moment(coin.as_of)}" if known else "No quote yet",
        "age": f" ({fmt.age(coin.age_seconds)} ago)" if known else "",
        "fresh": fmt.FRESHNESS.get(coin.freshness, coin.freshness),
        "curl": curl,
        "simulated": simulated,
        "no_simulated": not simulated,
    }
