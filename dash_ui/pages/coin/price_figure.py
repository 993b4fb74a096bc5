"""Builds the Plotly figure of a coin's prices; a line never crosses a gap.

Figures are plain dictionaries: Plotly's classes would repeat checks that the tests make, and need
11 MB of memory for that.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from api_client.coin_history import Candle, Point, Series, Statistics, is_gap
from dash_ui.components import format as fmt

Kind = Literal["recorded", "repaired"]
Trace = dict[str, Any]
Volumes = list[tuple[datetime, float | None]]

COLOURS: dict[Kind, str] = {"recorded": "#3b8fc4", "repaired": "#d9822b"}
DASHES: dict[Kind, str] = {"recorded": "solid", "repaired": "dot"}
LABELS: dict[Kind, str] = {"recorded": "recorded", "repaired": "repaired from history"}
BAND_COLOUR = "rgba(120,140,160,0.18)"
MUTED = "#8795a3"
GREY = "rgba(128,128,128,0.25)"
UP, DOWN = COLOURS["recorded"], COLOURS["repaired"]
FAINT = 0.5


@dataclass(frozen=True, slots=True)
class Segment:
    """Neighbouring points without a gap; "repaired" if the line between them is."""

    kind: Kind
    points: list[Point]


def segments(points: Sequence[Point], step: timedelta | None) -> list[Segment]:
    """The points, oldest first, as segments without gaps; two that touch share a point."""
    found: list[Segment] = []
    before: Point | None = None
    for point in points:
        if before is None or is_gap(before, point, step):
            found.append(Segment(kind_of(point), [point]))
        else:
            both = kind_of(before) == kind_of(point) == "recorded"
            kind: Kind = "recorded" if both else "repaired"
            last = found[-1]
            if last.kind == kind:
                last.points.append(point)
            else:
                if len(last.points) == 1:
                    found.pop()
                found.append(Segment(kind, [before, point]))
        before = point
    return found


def kind_of(point: Point) -> Kind:
    """Whether a point was recorded live or repaired later."""
    return "recorded" if point.resolution is None else "repaired"


def chart(
    series: Series, band: Statistics | None, *, log: bool, currency: str, key: str
) -> dict[str, Any]:
    """The prices, with a band of one deviation around their mean, above the volume.

    While `key` stays the same, the reader's zoom survives new data.
    """
    if series.candles:
        prices = _candles(series.candles, currency)
        volumes: list[Volumes] = [[(one.start, one.volume_24h) for one in series.candles]]
    else:
        parts = segments(series.points, series.spacing)
        prices = _lines(parts, currency)
        volumes = [[(one.at, one.volume_24h) for one in part.points] for part in parts]
    return {
        "data": [
            *(_band(band, log=log, currency=currency) if band else ()),
            *prices,
            *_volume(volumes, currency, bars=bool(series.candles)),
        ],
        "layout": _layout(log=log, currency=currency, key=key),
    }


def _band(band: Statistics, *, log: bool, currency: str) -> list[Trace]:
    mean, deviation = band.measures["mean"], band.measures["deviation"]
    if mean is None or deviation is None or band.oldest is None or band.newest is None:
        return []
    low, high = mean - deviation, fmt.finite(mean + deviation)
    if high is None:
        return []
    if log and low <= 0:
        low = band.measures["min"] or mean

    def level(price: float, **more: Any) -> Trace:
        times = [band.oldest, band.newest]
        line = {"type": "scatter", "mode": "lines", "hoverinfo": "skip", "x": times}
        return line | {"y": [price, price]} | more

    return [
        level(high, line={"width": 0}, showlegend=False),
        level(
            low,
            line={"width": 0},
            fill="tonexty",
            fillcolor=BAND_COLOUR,
            name=f"mean ± one deviation, {fmt.price(deviation, currency)}",
        ),
        level(
            mean,
            line={"width": 1, "dash": "dash", "color": MUTED},
            name=f"mean, {fmt.price(mean, currency)}",
        ),
    ]


def _lines(parts: Sequence[Segment], currency: str) -> list[Trace]:
    traces: list[Trace] = []
    for kind, label in LABELS.items():
        lines = [part.points for part in parts if part.kind == kind and len(part.points) > 1]
        joined = {id(point) for points in lines for point in points}
        # A point without a neighbour has no line; nor has a recorded one among repaired ones.
        single = [
            point
            for part in parts
            for point in part.points
            if kind_of(point) == kind and id(point) not in joined
        ]
        common: Trace = {"type": "scatter", "hoverinfo": "text", "name": label, "legendgroup": kind}
        if lines:
            # A missing value ends each line.
            points = [point for line in lines for point in (*line, None)]
            style = {"color": COLOURS[kind], "dash": DASHES[kind], "width": 2}
            line: Trace = {"mode": "lines", "connectgaps": False, "line": style}
            traces.append(common | _data(points, currency) | line)
        if single:
            symbol = "circle" if kind == "recorded" else "circle-open"
            marker = {"color": COLOURS[kind], "size": 6, "symbol": symbol}
            markers: Trace = {"mode": "markers", "marker": marker, "showlegend": not lines}
            traces.append(common | _data(single, currency) | markers)
    return traces


def _data(points: Sequence[Point | None], currency: str) -> Trace:
    return {
        "x": [point and point.at for point in points],
        "y": [point and point.price for point in points],
        "hovertext": [point and _point_text(point, currency) for point in points],
    }


def _candles(candles: Sequence[Candle], currency: str) -> list[Trace]:
    traces: list[Trace] = []
    for kind in LABELS:
        mine = [one for one in candles if bool(one.repaired) == (kind == "repaired")]
        if not mine:
            continue
        prices = {
            name: [getattr(one, name) for one in mine] for name in ("open", "high", "low", "close")
        }
        traces.append(
            {
                "type": "candlestick",
                "x": [one.start for one in mine],
                **prices,
                "hovertext": [_candle_text(one, currency) for one in mine],
                "hoverinfo": "text",
                # Rising candles are hollow, falling ones filled: colour is not the only sign.
                "increasing": {"line": {"color": UP, "width": 1.5}, "fillcolor": "rgba(0,0,0,0)"},
                "decreasing": {"line": {"color": DOWN, "width": 1.5}, "fillcolor": DOWN},
                "opacity": 1 if kind == "recorded" else FAINT,
                "name": "recorded" if kind == "recorded" else "with repaired prices (faint)",
            }
        )
    return traces


def _volume(parts: Sequence[Volumes], currency: str, *, bars: bool) -> list[Trace]:
    values = [one for part in parts for one in (*part, (None, None))]
    if not any(volume is not None for _, volume in values):
        return []
    common: Trace = {
        "x": [at for at, _ in values],
        "y": [volume for _, volume in values],
        "yaxis": "y2",
        "hovertext": [
            f"{fmt.moment(at)}: 24 h volume {fmt.big(volume, currency)}" for at, volume in values
        ],
        "hoverinfo": "text",
        "name": "24 h volume",
    }
    if bars:
        return [common | {"type": "bar", "marker": {"color": MUTED}}]
    line = {"mode": "lines", "connectgaps": False, "line": {"color": MUTED, "width": 1.5}}
    return [common | {"type": "scatter"} | line]


def _point_text(point: Point, currency: str) -> str:
    origin = "recorded"
    if point.resolution is not None:
        origin = f"repaired from {fmt.age(point.resolution)} history"
    return f"{fmt.moment(point.at)}: {fmt.exact(point.price, currency)}, {origin}"


def _candle_text(one: Candle, currency: str) -> str:
    prices = ", ".join(
        f"{name} {fmt.exact(getattr(one, name), currency)}"
        for name in ("open", "high", "low", "close")
    )
    count = fmt.counted(one.count, "quote")
    return f"{fmt.moment(one.start)}: {prices}; {count}, {one.repaired} repaired"


def _layout(*, log: bool, currency: str, key: str) -> dict[str, Any]:
    axis = {"gridcolor": GREY, "zeroline": False, "fixedrange": True, "automargin": True}
    return {
        "margin": {"l": 8, "r": 8, "t": 8, "b": 8},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": "system-ui, sans-serif", "size": 13},
        "hovermode": "closest",
        "dragmode": False,
        "uirevision": key,
        "legend": {"orientation": "h", "y": -0.12, "yanchor": "top", "x": 0},
        "xaxis": axis | {"type": "date", "anchor": "y2", "rangeslider": {"visible": False}},
        "yaxis": axis
        | {
            "type": "log" if log else "linear",
            "domain": [0.26, 1],
            "exponentformat": "none",
            "tickprefix": fmt.SIGNS.get(currency.lower(), ""),
            "hoverformat": "",
            "nticks": 7,
        },
        "yaxis2": axis | {"domain": [0, 0.18], "exponentformat": "B", "nticks": 3},
    }
