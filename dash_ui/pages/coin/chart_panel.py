"""The Coin page's chart panel: controls, the chart, and its data as a table."""

from datetime import datetime
from typing import Any

import dash_ag_grid as dag
from dash import dcc, html

from api_client.coin_history import Point, Series, is_gap
from dash_ui.components import format as fmt
from dash_ui.components.elements import GRID_OPTIONS, aria, curl_snippet, radio_group

CONTROLS = {
    "range": ("Range", {"24h": "24 h", "7d": "7 d", "30d": "30 d", "all": "All"}),
    "kind": ("Chart type", {"line": "Line", "candles": "Candles"}),
    "scale": ("Scale", {"linear": "Linear", "log": "Log"}),
    "include": ("Prices", {"repaired": "With repaired", "recorded": "Recorded"}),
}
COLUMNS = [
    {"headerName": "Time, UTC", "field": "at", "flex": 3, "minWidth": 205},
    {"headerName": "Price", "field": "price", "flex": 2, "minWidth": 100, "type": "rightAligned"},
    {"headerName": "24 h volume", "field": "volume", "flex": 2, "minWidth": 120}
    | {"type": "rightAligned"},
    {"headerName": "Origin", "field": "origin", "flex": 2, "minWidth": 190},
]


def panel(chosen: dict[str, str]) -> html.Section:
    """The chart, empty; `chosen` has a value for each control."""
    figure = dcc.Graph(
        id="coin-figure",
        responsive=True,
        style={"height": "100%"},
        config={"showSendToCloud": False, "displaylogo": False, "displayModeBar": False},
    )
    return html.Section(
        [
            html.H2("Price", className="h5 m-0"),
            html.Div(
                [
                    radio_group(f"coin-{name}", label, options, chosen[name], show_label=True)
                    for name, (label, options) in CONTROLS.items()
                ],
                className="koinx-controls",
            ),
            html.Div(
                figure,
                id="coin-figure-box",
                className="koinx-coin-figure",
                role="img",
                **aria(label="Price over time", describedby="coin-figure-text"),
            ),
            html.P(id="coin-figure-text", className="small"),
            html.Details(
                [
                    html.Summary("Chart data as a table"),
                    dag.AgGrid(
                        id="coin-rows",
                        columnDefs=COLUMNS,
                        defaultColDef={"resizable": False, "suppressMovable": True},
                        rowData=[],
                        getRowId="params.data.id",
                        style={"height": "24rem"},
                        dashGridOptions=GRID_OPTIONS,
                    ),
                ],
                id="coin-rows-fold",
                className="small mb-2",
            ),
            html.P(
                html.A("Download these quotes as CSV", id="coin-csv", href=""), className="mb-2"
            ),
            curl_snippet("coin-figure-curl", "Chart"),
            curl_snippet("coin-band-curl", "Band"),
        ],
        **aria(label="Price"),
    )


def rows(series: Series, currency: str) -> list[dict[str, Any]]:
    """The chart's candles, or its points and the gaps between them, as texts, newest first."""
    found = []
    for candle in series.candles:
        origin = f"{fmt.counted(candle.count, 'quote')}, {candle.repaired} repaired"
        found.append(_row(candle.start, candle.close, candle.volume_24h, origin, currency))
    before: Point | None = None
    for point in series.points:
        if before and is_gap(before, point, series.spacing):
            length = fmt.age((point.at - before.at).total_seconds())
            gap = _row(before.at, None, None, f"gap of {length}", currency)
            found.append(gap | {name: f"after {gap[name]}" for name in ("id", "at")})
        origin = "recorded"
        if point.resolution is not None:
            origin = f"repaired from {fmt.age(point.resolution)} history"
        found.append(_row(point.at, point.price, point.volume_24h, origin, currency))
        before = point
    return found[::-1]


def _row(
    at: datetime, price: float | None, volume: float | None, origin: str, currency: str
) -> dict[str, Any]:
    return {
        "id": at.isoformat(),
        "at": fmt.moment(at).removesuffix(" UTC"),
        "price": fmt.price(price, currency),
        "volume": fmt.big(volume, currency),
        "origin": origin,
    }
