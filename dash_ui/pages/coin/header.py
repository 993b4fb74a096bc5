"""The Coin page's head: which coin, its newest price, and of when that is."""

from typing import Any

import dash_bootstrap_components as dbc
from dash import Output, html, no_update

from api_client.client import Coin
from dash_ui.components import format as fmt
from dash_ui.components.elements import curl_snippet
from dash_ui.pages.market import text

PARTS = ("name", "price", "change", "more", "as-of", "age", "fresh", "curl")
OUTPUTS = {
    **{part: Output(f"coin-{part}", "children") for part in PARTS},
    "exact": Output("coin-price", "title"),
    "class": Output("coin-change", "className"),
    "simulated": Output("coin-simulated", "children"),
    "no_simulated": Output("coin-simulated", "hidden"),
}


def panel() -> html.Div:
    """The head, without its texts, and where to choose another coin."""
    return html.Div(
        [
            html.Div(
                [
                    html.Div(
                        [
                            html.H1("Coin", id="coin-name", className="h3 m-0"),
                            html.Span(id="coin-simulated", className="koinx-badge", hidden=True),
                        ],
                        className="d-flex flex-wrap align-items-center gap-2",
                    ),
                    html.P(
                        [
                            html.Span(id="coin-price", className="koinx-card-price me-3"),
                            html.Span(id="coin-change"),
                        ],
                        className="m-0",
                    ),
                    html.P(id="coin-more", className="m-0 text-body-secondary"),
                    html.P(
                        [
                            html.Span(id="coin-as-of"),
                            html.Span(id="coin-age", className="koinx-when-known"),
                            html.Span(
                                id="coin-fresh", className="koinx-when-known ms-2 text-nowrap"
                            ),
                            html.Span("? age not known", className="koinx-when-unknown ms-2"),
                        ],
                        className="mb-1",
                    ),
                    curl_snippet("coin-curl", "the newest price"),
                ],
                className="koinx-status",
            ),
            html.Div(
                [
                    html.Label(["Another coin ", html.Kbd("/")], htmlFor="coin-choose"),
                    dbc.Input(
                        id="coin-choose",
                        type="search",
                        list="coin-choices",
                        debounce=True,
                        placeholder="id, then Enter",
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


def shown(coin: Coin, currency: str, curl: str) -> dict[str, Any]:
    """What the head says of a coin."""
    simulated = text.simulated([coin])
    known = coin.as_of is not None
    way = "" if not coin.change_24h else "koinx-up" if coin.change_24h > 0 else "koinx-down"
    rank = f"Rank {coin.rank} · " if coin.rank is not None else ""
    return {
        "name": f"{coin.name} {coin.symbol.upper()}".strip(),
        "price": fmt.price(coin.price, currency),
        "exact": fmt.exact(coin.price, currency),
        "change": f"{fmt.change(coin.change_24h)} in 24 h",
        "class": way,
        "more": f"{rank}cap {fmt.big(coin.market_cap, currency)} · "
        f"volume of 24 h {fmt.big(coin.volume_24h, currency)}",
        "as-of": f"As of {fmt.moment(coin.as_of)}" if known else "No quote yet",
        "age": f", {fmt.age(coin.age_seconds)} old" if known else "",
        "fresh": text.MARKS.get(coin.freshness, coin.freshness),
        "curl": curl,
        "simulated": simulated,
        "no_simulated": not simulated,
    }


def unchanged() -> dict[str, Any]:
    """All as it was."""
    return dict.fromkeys(OUTPUTS, no_update)
