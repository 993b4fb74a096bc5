"""What the Market page shows: a value for each of its outputs."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from dash import Output, no_update

from api_client.client import ApiError, Coin, Update
from dash_ui.components import format as fmt
from dash_ui.pages.market import cards, deviation_chart, table
from dash_ui.pages.market import text as words

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


def outage(error: ApiError, now: datetime, read_at: str | None) -> dict[str, Any]:
    """What the page says while the API gives no data: what was read before stays, marked."""
    known = datetime.fromisoformat(read_at) if read_at else None
    since, read = "", "No data read yet."
    if known:
        since = f" What you see was read at {fmt.moment(known)} and may be old."
        ago = fmt.age((now - known).total_seconds())
        read = f"Last read at {fmt.moment(known)}, {ago} ago."
    return {
        **_unchanged(),
        "beat": now.isoformat(),
        "alert": False,
        "alert_what": error.message,
        "alert_next": f"{error.next_step} The page goes on trying by itself.{since}",
        "loading": True,
        "data_class": "koinx-old",
        "as_of": read,
        "age": "",
        "update": "What the last update did is not known while the API gives no answer.",
    }


def _unchanged() -> dict[str, Any]:
    names = (
        "read_at data simulated simulated_text source count rows grid_style figure_box "
        "figure_title figure_text"
    )
    return {
        **dict.fromkeys(names.split(), no_update),
        "cards": cards.UNCHANGED,
        "figure": deviation_chart.UNCHANGED,
    }


def shown(
    coins: Sequence[Coin],
    update: Update | None,
    trouble: ApiError | None,
    *,
    now: datetime,
    unit: deviation_chart.Unit,
    currency: str,
) -> dict[str, Any]:
    """What the page says of `coins` and the newest `update`; `trouble` is why that is not known."""
    known = [coin for coin in coins if coin.freshness != "never"]
    newest = min((c.age_seconds for c in known if c.age_seconds is not None), default=None)
    as_of = max((coin.as_of for coin in known if coin.as_of), default=None)
    what, cure = words.concern(known, newest, update)
    simulated = words.simulated(coins)
    bars = deviation_chart.deviation_bars(coins, unit, currency)
    return {
        "beat": now.isoformat(),
        "read_at": now.isoformat(),
        "alert": not what,
        "alert_what": what,
        "alert_next": cure,
        "loading": True,
        "data": not coins,
        "data_class": "",
        "simulated": not simulated,
        "simulated_text": simulated,
        "source": not any(coin.source == "coingecko" for coin in coins),
        "as_of": f"Prices as of {fmt.moment(as_of)}" if known else "",
        "age": f", newest data {fmt.age(newest)} old" if known else "",
        "update": trouble.message if trouble else words.last_update(update),
        "cards": cards.shown(known, currency),
        "count": words.count(coins),
        "rows": [table.row(coin, currency) for coin in coins],
        "grid_style": table.style(len(coins)),
        "figure": deviation_chart.shown(bars),
        "figure_box": not bars,
        "figure_title": deviation_chart.deviation_heading(bars, unit) if bars else "",
        "figure_text": deviation_chart.deviation_summary(bars),
    }
