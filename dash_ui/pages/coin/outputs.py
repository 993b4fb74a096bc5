"""What the Coin page shows: a value for each of its outputs."""

from datetime import datetime
from typing import Any
from urllib.parse import quote

from dash import Output, no_update

from api_client.client import ApiError, Coin
from dash_ui.components import format as fmt
from dash_ui.components.elements import coin_url
from dash_ui.pages.coin import chart_panel, header, price_figure, query, statistics
from dash_ui.pages.coin import text as words

FIGURE = {
    "figure": Output("coin-figure", "figure"),
    "text": Output("coin-figure-text", "children"),
    "rows": Output("coin-rows", "rowData"),
    "csv": Output("coin-csv", "href"),
    "curl": Output("coin-figure-curl", "children"),
    "band_curl": Output("coin-band-curl", "children"),
}
ALERT = {
    "hidden": Output("coin-alert", "hidden"),
    "what": Output("coin-alert-what", "children"),
    "next": Output("coin-alert-next", "children"),
    "link": Output("coin-alert-link", "href"),
    "link_text": Output("coin-alert-link", "children"),
}
OUTPUTS = {
    "beat": Output("coin-beat", "children"),
    "read_at": Output("coin-read-at", "data"),
    "seen": Output("coin-seen", "data"),
    "id": Output("coin-id", "data"),
    "loading": Output("coin-loading", "hidden"),
    "data": Output("coin-data", "hidden"),
    "data_class": Output("coin-page", "className"),
    "alert": ALERT,
    "head": header.OUTPUTS,
    "figure": FIGURE,
    "statistics": statistics.OUTPUTS,
}


def outage(error: ApiError, now: datetime, read_at: str | None) -> dict[str, Any]:
    """While the API gives no data: what was read before stays, marked as old."""
    since = ""
    if read_at:
        since = f" What you see was read at {fmt.moment(datetime.fromisoformat(read_at))}"
        since += " and may be old."
    said = f"{error.next_step} The page goes on trying by itself.{since}"
    return _same(now) | {"data_class": "koinx-old", "alert": _alert(error.message, said)}


def unknown(error: ApiError, now: datetime) -> dict[str, Any]:
    """A coin that is not collected: nothing of it is shown."""
    head = header.unchanged() | {"name": "Unknown coin"}
    head |= dict.fromkeys(("price", "change", "more", "as-of", "age", "fresh"), "")
    alert = _alert(error.message, error.next_step, "/", "To Market")
    return _same(now) | {"data": True, "data_class": "", "head": head, "alert": alert}


def without_data(coin: Coin, now: datetime, *, currency: str, curl: str) -> dict[str, Any]:
    """A coin of which nothing is stored, or a retired one, which names its successor."""
    return _same(now) | {
        "data": True,
        "data_class": "",
        "head": header.shown(coin, currency, curl),
        "alert": _concern(coin),
    }


def lasting(
    coin: Coin, now: datetime, seen: dict[str, Any], *, currency: str, curl: str
) -> dict[str, Any]:
    """Nothing is new but the ages."""
    age = seen["age"]
    if age is not None:
        age += (now - datetime.fromisoformat(seen["at"])).total_seconds()
    return _same(now) | {
        "read_at": now.isoformat(),
        "data": False,
        "data_class": "",
        "head": header.shown(coin, currency, curl),
        "alert": _concern(coin),
        "statistics": statistics.unchanged(age),
    }


def shown(
    coin: Coin,
    found: query.Reading,
    choice: query.Choice,
    now: datetime,
    *,
    currency: str,
    api_url: str,
) -> dict[str, Any]:
    """All that was read of a coin."""
    series, band = found.series, found.band
    figure = price_figure.chart(
        series, band, log=choice.scale == "log", currency=currency, key=choice.shown(coin.id)
    )
    include = f"?include={choice.include}"
    start = series.request.query.get("from")
    return {
        "beat": now.isoformat(),
        "read_at": now.isoformat(),
        "seen": {
            "key": choice.key(coin),
            "at": now.isoformat(),
            "age": found.statistics.age_seconds,
        },
        "id": no_update,
        "loading": True,
        "data": False,
        "data_class": "",
        "alert": _concern(coin),
        "head": header.shown(coin, currency, found.coin_request.curl(api_url)),
        "figure": {
            "figure": figure,
            "text": words.chart(coin, series, band, choice.span, currency),
            "rows": chart_panel.rows(series, currency),
            "csv": f"/coin-csv/{quote(coin.id, safe='')}{include}"
            + (f"&from={start}" if start else ""),
            "curl": series.request.curl(api_url),
            "band_curl": found.band_request.curl(api_url),
        },
        "statistics": statistics.shown(
            found.statistics,
            choice.statistics,
            currency,
            found.statistics_request.curl(api_url),
        ),
    }


def _same(now: datetime) -> dict[str, Any]:
    return {
        **dict.fromkeys(("read_at", "seen", "id", "data", "data_class"), no_update),
        "beat": now.isoformat(),
        "loading": True,
        "alert": dict.fromkeys(ALERT, no_update),
        "head": header.unchanged(),
        "figure": dict.fromkeys(FIGURE, no_update),
        "statistics": statistics.unchanged(),
    }


def _concern(coin: Coin) -> dict[str, Any]:
    what, cure = words.concern(coin)
    if coin.successor:
        return _alert(what, cure, coin_url(coin.successor), coin.successor)
    return _alert(what, cure)


def _alert(what: str, cure: str, href: str = "", text: str = "") -> dict[str, Any]:
    return {"hidden": not what, "what": what, "next": cure, "link": href, "link_text": text}
