"""The Coin page's outputs: a value for each one, from what the API answered."""

from datetime import datetime
from typing import Any
from urllib.parse import quote

from dash import Output

from api_client.client import ApiError, Coin
from dash_ui.components import format as fmt
from dash_ui.components.elements import coin_url, partial_update
from dash_ui.pages.coin import chart_panel, header, price_figure, query, statistics, text

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


def render_outage(error: ApiError, now: datetime, read_at: str | None) -> dict[str, Any]:
    """The page while the API gives no data: what was read before stays, marked as old."""
    alert = _alert(error.message, fmt.outage(error, read_at))
    return _update(now, data_class="koinx-old", alert=alert)


def render_unknown(error: ApiError, now: datetime) -> dict[str, Any]:
    """The page of a coin that KoinX does not collect."""
    head = dict.fromkeys(("price", "change", "more", "as-of", "age", "fresh"), "")
    head["name"] = "Unknown coin"
    alert = _alert(error.message, error.next_step, "/", "Go to Market")
    return _update(now, data=True, data_class="", head=head, alert=alert)


def render(coin: Coin, head: dict[str, Any], now: datetime, **values: Any) -> dict[str, Any]:
    """The page of a coin with its header and alert; `data=True` hides the rest."""
    return _update(now, data_class="", head=head, alert=_concern(coin), **values)


def render_ages(
    coin: Coin, head: dict[str, Any], now: datetime, seen: dict[str, Any], **values: Any
) -> dict[str, Any]:
    """The page when nothing has changed but the ages."""
    evidence = {}
    if seen["age"] is not None:
        elapsed = (now - datetime.fromisoformat(seen["at"])).total_seconds()
        evidence["age"] = fmt.age(seen["age"] + elapsed)
    statistics = {"evidence": evidence}
    values |= {"read_at": now.isoformat(), "data": False, "statistics": statistics}
    return render(coin, head, now, **values)


def render_reading(
    coin: Coin,
    head: dict[str, Any],
    now: datetime,
    found: query.Reading,
    choice: query.Choice,
    *,
    currency: str,
    api_url: str,
    **values: Any,
) -> dict[str, Any]:
    """The page with everything that was read of a coin."""
    series, band = found.series, found.band
    csv_query = f"?include={choice.include}"
    if start := series.request.query.get("from"):
        csv_query += f"&from={start}"
    figure = price_figure.chart(
        series, band, log=choice.scale == "log", currency=currency, key=choice.view(coin.id)
    )
    at = now.isoformat()
    return render(
        coin,
        head,
        now,
        read_at=at,
        seen={"key": choice.key(coin), "at": at, "age": found.statistics.age_seconds},
        data=False,
        figure={
            "figure": figure,
            "text": text.chart(coin, series, band, choice.span, currency),
            "rows": chart_panel.rows(series, currency),
            "csv": f"/coin-csv/{quote(coin.id, safe='')}{csv_query}",
            "curl": series.request.curl(api_url),
            "band_curl": found.band_request.curl(api_url),
        },
        statistics=statistics.render(
            found.statistics,
            choice.statistics,
            currency,
            found.statistics_request.curl(api_url),
        ),
        **values,
    )


def _update(now: datetime, **values: Any) -> dict[str, Any]:
    common = {"beat": now.isoformat(), "loading": True}
    return dict(partial_update(OUTPUTS, common | values))


def _concern(coin: Coin) -> dict[str, Any]:
    what, next_step = text.concern(coin)
    successor = coin.successor
    return _alert(what, next_step, coin_url(successor) if successor else "", successor or "")


def _alert(what: str, next_step: str, href: str = "", link: str = "") -> dict[str, Any]:
    return {"hidden": not what, "what": what, "next": next_step, "link": href, "link_text": link}
