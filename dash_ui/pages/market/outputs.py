"""The Market page's outputs: a value for each one, from what the API answered."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from dash import Output

from api_client.client import ApiError, Coin, Update
from dash_ui.components import elements
from dash_ui.components import format as fmt
from dash_ui.pages.market import cards, deviation_chart, table, text

OUTPUTS = {
    "beat": Output("market-beat", "children"),
    "read_at": Output("market-read-at", "data"),
    "alert": Output("market-alert", "hidden"),
    "alert_what": Output("market-alert-what", "children"),
    "alert_next": Output("market-alert-next", "children"),
    "loading": Output("market-loading", "hidden"),
    "data": Output("market-data", "hidden"),
    "data_class": Output("market-data", "className"),
    "simulated": Output("market-simulated", "hidden"),
    "simulated_text": Output("market-simulated", "children"),
    "source": Output("market-source", "hidden"),
    "as_of": Output("market-as-of", "children"),
    "age": Output("market-age", "children"),
    "update": Output("market-update", "children"),
    "cards": cards.OUTPUTS,
    "count": Output("market-count", "children"),
    "rows": Output("market-grid", "rowData"),
    "grid_style": Output("market-grid", "style"),
    "figure": deviation_chart.OUTPUTS,
    "figure_box": Output("market-figure", "hidden"),
    "figure_title": Output("market-figure-title", "children"),
    "figure_text": Output("market-figure-text", "children"),
}


def render_outage(error: ApiError, now: datetime, read_at: str | None) -> dict[str, Any]:
    """The page while the API gives no data: what was read before stays, marked as old."""
    last_read = "No data yet."
    if read_at:
        known = datetime.fromisoformat(read_at)
        age = fmt.age((now - known).total_seconds())
        last_read = f"Last read at {fmt.moment(known)}, {age} ago."
    values = {
        "beat": now.isoformat(),
        "alert": False,
        "alert_what": error.message,
        "alert_next": fmt.outage(error, read_at),
        "loading": True,
        "data_class": "koinx-old",
        "as_of": last_read,
        "age": "",
        "update": "Last update: unknown while the API does not answer.",
    }
    return dict(elements.partial_update(OUTPUTS, values))


def render(
    coins: Sequence[Coin],
    update: Update | None,
    update_error: ApiError | None,
    *,
    now: datetime,
    unit: deviation_chart.Unit,
    currency: str,
) -> dict[str, Any]:
    """The page with `coins` and the newest `update`; `update_error` is why that is unknown."""
    priced = [coin for coin in coins if coin.freshness != "never"]
    newest = min((c.age_seconds for c in priced if c.age_seconds is not None), default=None)
    as_of = max((coin.as_of for coin in priced if coin.as_of), default=None)
    what, next_step = text.concern(priced, newest, update)
    simulated = fmt.simulated(coins)
    bars = deviation_chart.bars(coins, unit, currency)
    return {
        "beat": now.isoformat(),
        "read_at": now.isoformat(),
        "alert": not what,
        "alert_what": what,
        "alert_next": next_step,
        "loading": True,
        "data": not coins,
        "data_class": "",
        "simulated": not simulated,
        "simulated_text": simulated,
        "source": not any(coin.source == "coingecko" for coin in coins),
        "as_of": f"Prices as of {fmt.moment(as_of)}" if priced else "",
        "age": f" ({fmt.age(newest)} ago)" if priced else "",
        "update": update_error.message if update_error else text.last_update(update),
        "cards": cards.render(priced, currency),
        "count": text.count(coins),
        "rows": [table.row(coin, currency) for coin in coins],
        "grid_style": table.style(len(coins)),
        "figure": deviation_chart.render(bars),
        "figure_box": not bars,
        "figure_title": deviation_chart.heading(bars, unit) if bars else "",
        "figure_text": deviation_chart.summary(bars),
    }
