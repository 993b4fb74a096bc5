"""Figures of one coin's past; pure. A missing stretch is never drawn across.

They are the browser's own form: plotly's classes would check what tests check as well, and need
11 MB for that.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from api_client.coin_history import Candle, Point, Series, Statistics, is_gap
from dash_ui.components import format as fmt

Kind = Literal["recorded", "repaired"]
Trace = dict[str, Any]

COLOURS: dict[Kind, str] = {"recorded": "#3b8fc4", "repaired": "#d9822b"}
DASHES: dict[Kind, str] = {"recorded": "solid", "repaired": "dot"}
WORDS: dict[Kind, str] = {"recorded": "recorded", "repaired": "repaired from history"}
BAND_COLOUR = "rgba(120,140,160,0.18)"
GREY = "rgba(128,128,128,0.25)"
UP, DOWN = "#3b8fc4", "#d9822b"
FAINT = 0.5


@dataclass(frozen=True, slots=True)
class Stretch:
    """Neighbouring points without a gap; `repaired` if what joins them is."""

    kind: Kind
    points: list[Point]


def stretches(points: Sequence[Point], step: timedelta | None) -> list[Stretch]:
    """The points, oldest first, as what can be drawn in one go; two that meet share a point."""
    found: list[Stretch] = []
    for place, point in enumerate(points):
        before = points[place - 1] if place else None
        if before is None or is_gap(before, point, step):
            found.append(Stretch(kind_of(point), [point]))
            continue
        both = kind_of(before) == kind_of(point) == "recorded"
        kind: Kind = "recorded" if both else "repaired"
        last = found[-1]
        if last.kind == kind:
            last.points.append(point)
        elif len(last.points) == 1:
            found[-1] = Stretch(kind, [before, point])
        else:
            found.append(Stretch(kind, [before, point]))
    return found


def kind_of(point: Point) -> Kind:
    """Whether a point was recorded in its time or repaired later."""
    return "recorded" if point.resolution is None else "repaired"


def chart(
    series: Series, band: Statistics | None, *, log: bool, currency: str, key: str
) -> dict[str, Any]:
    """Price with the band of one deviation above the volume; `key` names what is shown, and a
    zoom outlives new data for as long as it stays."""
    if series.candles:
        prices = _candles(series.candles, currency)
        volumes = [(one.start, one.volume) for one in series.candles]
        broken = [list(volumes)]
    else:
        parts = stretches(series.points, series.spacing)
        prices = _lines(parts, currency)
        broken = [[(one.at, one.volume) for one in part.points] for part in parts]
    return {
        "data": [
            *(_band(band, log=log, currency=currency) if band else ()),
            *prices,
            *_volume(broken, currency, bars=bool(series.candles)),
        ],
        "layout": _layout(log=log, currency=currency, key=key),
    }


def _band(band: Statistics, *, log: bool, currency: str) -> list[Trace]:
    mean, deviation = band.measures["mean"], band.measures["deviation"]
    if mean is None or deviation is None or band.oldest is None or band.newest is None:
        return []
    times = [band.oldest, band.newest]
    low, high = mean - deviation, fmt.finite(mean + deviation)
    if high is None:
        return []
    if log and low <= 0:
        low = band.measures["min"] or mean
    plain: Trace = {"type": "scatter", "mode": "lines", "hoverinfo": "skip", "x": times}
    return [
        plain | {"y": [high, high], "line": {"width": 0}, "showlegend": False},
        plain
        | {
            "y": [low, low],
            "line": {"width": 0},
            "fill": "tonexty",
            "fillcolor": BAND_COLOUR,
            "name": f"mean ± one deviation, {fmt.price(deviation, currency)}",
        },
        plain
        | {
            "y": [mean, mean],
            "line": {"width": 1, "dash": "dash", "color": "#8795a3"},
            "name": f"mean, {fmt.price(mean, currency)}",
        },
    ]


def _lines(parts: Sequence[Stretch], currency: str) -> list[Trace]:
    traces: list[Trace] = []
    for kind, name in WORDS.items():
        drawn = [part for part in parts if part.kind == kind and len(part.points) > 1]
        joined = {id(point) for part in drawn for point in part.points}
        alone = [
            point
            for part in parts
            for point in part.points
            if kind_of(point) == kind and id(point) not in joined
        ]
        if drawn:
            traces.append(_line(kind, drawn, currency))
        # A point without a neighbour has no line; nor has a recorded one among repaired ones.
        if alone:
            traces.append(
                {
                    "type": "scatter",
                    "mode": "markers",
                    "x": [point.at for point in alone],
                    "y": [point.price for point in alone],
                    "hovertext": [_said(point, currency) for point in alone],
                    "hoverinfo": "text",
                    "marker": {"color": COLOURS[kind], "size": 6, "symbol": _symbol(kind)},
                    "name": name,
                    "legendgroup": kind,
                    "showlegend": not drawn,
                }
            )
    return traces


def _symbol(kind: Kind) -> str:
    return "circle" if kind == "recorded" else "circle-open"


def _line(kind: Kind, parts: Sequence[Stretch], currency: str) -> Trace:
    times: list[datetime | None] = []
    prices: list[float | None] = []
    texts: list[str | None] = []
    for part in parts:
        times += [*(point.at for point in part.points), None]
        prices += [*(point.price for point in part.points), None]
        texts += [*(_said(point, currency) for point in part.points), None]
    return {
        "type": "scatter",
        "mode": "lines",
        "x": times,
        "y": prices,
        "hovertext": texts,
        "hoverinfo": "text",
        "connectgaps": False,
        "line": {"color": COLOURS[kind], "dash": DASHES[kind], "width": 2},
        "name": WORDS[kind],
        "legendgroup": kind,
    }


def _candles(candles: Sequence[Candle], currency: str) -> list[Trace]:
    traces: list[Trace] = []
    for kind in WORDS:
        mine = [one for one in candles if bool(one.repaired) == (kind == "repaired")]
        if not mine:
            continue
        traces.append(
            {
                "type": "candlestick",
                "x": [one.start for one in mine],
                "open": [one.open for one in mine],
                "high": [one.high for one in mine],
                "low": [one.low for one in mine],
                "close": [one.close for one in mine],
                "hovertext": [_told(one, currency) for one in mine],
                "hoverinfo": "text",
                # Rising ones are hollow, falling ones full: colour is not the only sign.
                "increasing": {"line": {"color": UP, "width": 1.5}, "fillcolor": "rgba(0,0,0,0)"},
                "decreasing": {"line": {"color": DOWN, "width": 1.5}, "fillcolor": DOWN},
                "opacity": 1 if kind == "recorded" else FAINT,
                "name": "recorded" if kind == "recorded" else "with repaired prices (faint)",
            }
        )
    return traces


def _volume(
    parts: Sequence[Sequence[tuple[datetime, float | None]]],
    currency: str,
    *,
    bars: bool,
) -> list[Trace]:
    times: list[datetime | None] = []
    volumes: list[float | None] = []
    for part in parts:
        times += [*(at for at, _ in part), None]
        volumes += [*(volume for _, volume in part), None]
    if not any(volume is not None for volume in volumes):
        return []
    texts = [
        f"{fmt.moment(at)}: volume of 24 h {fmt.big(volume, currency)}"
        for at, volume in zip(times, volumes, strict=True)
    ]
    common: Trace = {
        "x": times,
        "y": volumes,
        "yaxis": "y2",
        "hovertext": texts,
        "hoverinfo": "text",
        "name": "volume of 24 h",
    }
    if bars:
        return [common | {"type": "bar", "marker": {"color": "#8795a3"}}]
    line = {"mode": "lines", "connectgaps": False, "line": {"color": "#8795a3", "width": 1.5}}
    return [common | {"type": "scatter"} | line]


def _said(point: Point, currency: str) -> str:
    how = "recorded"
    if point.resolution is not None:
        how = f"repaired from a point every {fmt.age(point.resolution)}"
    return f"{fmt.moment(point.at)}: {fmt.exact(point.price, currency)}, {how}"


def _told(one: Candle, currency: str) -> str:
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
