"""The Market page's cards: the first coins at a glance."""

from collections.abc import Sequence
from typing import Any

import dash_bootstrap_components as dbc
from dash import Output, html

from api_client.client import Coin
from dash_ui.components import format as fmt
from dash_ui.components.elements import coin_url

CARDS = 3
CARD_PARTS = ("name", "price", "change", "detail")
OUTPUTS = [
    {
        "hidden": Output(f"market-card-{place}", "hidden"),
        "title": Output(f"market-card-{place}-price", "title"),
        "class": Output(f"market-card-{place}-change", "className"),
        "href": Output(f"market-card-{place}-name", "href"),
        **{part: Output(f"market-card-{place}-{part}", "children") for part in CARD_PARTS},
    }
    for place in range(CARDS)
]


def panel() -> dbc.Row:
    """The cards, empty."""

    def card(place: int) -> dbc.Col:
        name = html.A(id=f"market-card-{place}-name", href="")
        return dbc.Col(
            html.Div(
                [
                    html.H2(name, className="koinx-card-name"),
                    *[
                        html.Div(id=f"market-card-{place}-{part}", className=f"koinx-card-{part}")
                        for part in CARD_PARTS[1:]
                    ],
                ],
                id=f"market-card-{place}",
                className="koinx-card",
            ),
            md=4,
        )

    return dbc.Row([card(place) for place in range(CARDS)], class_name="g-2 mb-3")


def render(coins: Sequence[Coin], currency: str) -> list[dict[str, Any]]:
    """A card for each of the first coins; the other cards are hidden."""
    pinned = [*coins[:CARDS], *[None] * CARDS][:CARDS]
    return [_card(coin, currency) for coin in pinned]


def _card(coin: Coin | None, currency: str) -> dict[str, Any]:
    if coin is None:
        return dict.fromkeys(OUTPUTS[0], "") | {"hidden": True}
    old = f", {coin.freshness}" if coin.freshness != "fresh" else ""
    return {
        "hidden": False,
        "title": fmt.exact(coin.price, currency),
        "href": coin_url(coin.id),
        "class": f"koinx-card-change {fmt.change_class(coin.change_24h)}",
        "name": f"{coin.name} {coin.symbol.upper()}",
        "price": fmt.price(coin.price, currency),
        "change": f"{fmt.change(coin.change_24h)} in 24 h",
        "detail": f"market cap {fmt.big(coin.market_cap, currency)} · "
        f"as of {fmt.moment(coin.as_of)}{old}",
    }
