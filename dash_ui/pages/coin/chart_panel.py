"""The Coin page's chart with its controls, and the same as a table."""

from datetime import datetime
from typing import Any

import dash_ag_grid as dag
import dash_bootstrap_components as dbc
from dash import html

from api_client.coin_history import Point, Series, is_gap
from dash_ui.components import elements
from dash_ui.components import format as fmt
from dash_ui.components.elements import aria, curl_snippet
from dash_ui.pages.market.table import BY_KEYBOARD, THEME

CONTROLS = {
    "range": ("Range", {"24h": "24 h", "7d": "7 d", "30d": "30 d", "all": "All"}),
    "kind": ("Drawn as", {"line": "Line", "candles": "Candles"}),
    "scale": ("Scale", {"linear": "Linear", "log": "Log"}),
    "include": ("Prices", {"repaired": "With repaired", "recorded": "Recorded"}),
}
COLUMNS = [
    {"headerName": "Time, UTC", "field": "at", "flex": 3, "minWidth": 150},
    {"headerName": "Price", "field": "price", "flex": 2, "minWidth": 100, "type": "rightAligned"},
    {"headerName": "24 h volume", "field": "volume", "flex": 2, "minWidth": 100}
    | {"type": "rightAligned"},
    {"headerName": "How known", "field": "how", "flex": 2, "minWidth": 130},
]


def panel(chosen: dict[str, str]) -> html.Section:
    """The chart, empty; `chosen` has a value for each control."""
    return html.Section(
        [
            html.H2("Price", className="h5 m-0"),
            html.Div(
                [_control(name, *CONTROLS[name], chosen[name]) for name in CONTROLS],
                className="koinx-controls",
            ),
            html.Div(
                elements.graph("coin-figure"),
                id="coin-figure-box",
                className="koinx-coin-figure",
                role="img",
                **aria(label="Price over time", describedby="coin-figure-text"),
            ),
            html.P(id="coin-figure-text", className="small"),
            html.Details(
                [
                    html.Summary("The chart's numbers as a table"),
                    dag.AgGrid(
                        id="coin-rows",
                        columnDefs=COLUMNS,
                        defaultColDef={"resizable": False, "suppressMovable": True},
                        rowData=[],
                        getRowId="params.data.id",
                        style={"height": "24rem"},
                        dashGridOptions={
                            "theme": {"function": THEME},
                            "animateRows": False,
                            **BY_KEYBOARD,
                        },
                    ),
                ],
                id="coin-rows-fold",
                className="small mb-2",
            ),
            html.P(
                html.A("Download these quotes as CSV", id="coin-csv", href=""), className="mb-2"
            ),
            curl_snippet("coin-figure-curl", "the chart"),
            curl_snippet("coin-band-curl", "the band"),
        ],
        **aria(label="Price"),
    )


def _control(name: str, label: str, options: dict[str, str], value: str) -> html.Div:
    return html.Div(
        [
            html.Span(f"{label}:", className="koinx-label me-2"),
            dbc.RadioItems(
                id=f"coin-{name}",
                # One group, in which arrows choose.
                name=f"coin-{name}",
                options=[{"label": text, "value": key} for key, text in options.items()],
                value=value,
                inline=True,
                class_name="small d-inline-block",
            ),
        ],
        role="group",
        **aria(label=label),
    )


def rows(series: Series, currency: str) -> list[dict[str, Any]]:
    """The chart's points with the gaps between them, or its candles, newest first, as texts."""
    if series.candles:
        found = [
            _row(one.start, f"{one.count}, {one.repaired} repaired")
            | _numbers(one.close, one.volume, currency)
            for one in series.candles
        ]
        return found[::-1]
    found = []
    before: Point | None = None
    for point in series.points:
        if before and is_gap(before, point, series.spacing):
            missing = fmt.age((point.at - before.at).total_seconds())
            found.append(
                _row(before.at, f"gap of {missing}", "after ") | _numbers(None, None, currency)
            )
        how = "recorded"
        if point.resolution is not None:
            how = f"repaired, every {fmt.age(point.resolution)}"
        found.append(_row(point.at, how) | _numbers(point.price, point.volume, currency))
        before = point
    return found[::-1]


def _row(at: datetime, how: str, prefix: str = "") -> dict[str, Any]:
    time = fmt.moment(at).removesuffix(" UTC")
    return {"id": f"{prefix}{at.isoformat()}", "at": f"{prefix}{time}", "how": how}


def _numbers(price: float | None, volume: float | None, currency: str) -> dict[str, Any]:
    return {"price": fmt.price(price, currency), "volume": fmt.big(volume, currency)}
