"""Figures of a coin's past: gaps, repaired stretches, the band."""

from typing import Any

import plotly.graph_objects as go
import pytest

from api_client.coin_history import Candle, Point, Request, Series, Statistics
from dash_ui.pages.coin import price_figure
from tests.harness.candle_bands import QUARTER, START, band


def point(slot: float, resolution: int | None = None, price: float = 100.0) -> Point:
    return Point(START + slot * QUARTER, price, 1e9, resolution)


def series(*points: Point) -> Series:
    return Series(list(points), [], None, QUARTER, Request("/"))


def drawn(of: Series, with_band: Statistics | None = None, *, log: bool = False) -> dict[str, Any]:
    figure = price_figure.chart(of, with_band, log=log, currency="usd", key="k")
    go.Figure(figure)  # raises ValueError for what plotly does not know
    return {trace["name"]: trace for trace in figure["data"] if "name" in trace}


def kinds(*points: Point) -> list[tuple[str, list[float]]]:
    return [
        (part.kind, [(one.at - START) / QUARTER for one in part.points])
        for part in price_figure.segments(points, QUARTER)
    ]


def test_a_missing_slot_ends_a_stretch() -> None:
    assert kinds(point(0), point(1), point(3), point(4)) == [
        ("recorded", [0, 1]),
        ("recorded", [3, 4]),
    ]


def test_a_quote_that_is_late_within_its_slot_leaves_no_gap() -> None:
    assert kinds(point(0), point(1.4), point(2)) == [("recorded", [0, 1.4, 2])]


def test_what_joins_a_repaired_point_is_repaired_and_stretches_meet() -> None:
    assert kinds(point(0, 300), point(1, 300), point(2), point(3)) == [
        ("repaired", [0, 1, 2]),
        ("recorded", [2, 3]),
    ]
    assert kinds(point(0), point(1, 300)) == [("repaired", [0, 1])]


def test_hourly_history_is_no_gap_and_a_missing_hour_of_it_is() -> None:
    assert kinds(point(0, 3600), point(4, 3600), point(12, 3600)) == [
        ("repaired", [0, 4]),
        ("repaired", [12]),
    ]


def test_no_line_crosses_a_gap() -> None:
    traces = drawn(series(point(0), point(1), point(3), point(4)))
    line = traces["recorded"]
    assert list(line["y"]) == [100, 100, None, 100, 100, None]
    assert line["connectgaps"] is False
    assert list(traces["24 h volume"]["y"]) == [1e9, 1e9, None, 1e9, 1e9, None]


def test_repaired_stretches_have_a_dash_and_a_word_of_their_own() -> None:
    traces = drawn(series(point(0, 300), point(1, 300), point(2), point(3)))
    assert traces["recorded"]["line"]["dash"] == "solid"
    assert traces["repaired from history"]["line"]["dash"] == "dot"
    assert traces["repaired from history"]["hovertext"][0] == (
        "2025-11-20 00:00:00 UTC: $100.0, repaired from 5 min history"
    )


def test_a_point_without_neighbours_is_seen() -> None:
    trace = drawn(series(point(0, 300), point(1, 300), point(2)))["recorded"]
    assert (trace["mode"], list(trace["y"]), trace["showlegend"]) == ("markers", [100], True)


def test_the_band_is_one_deviation_around_the_mean_where_it_was_measured() -> None:
    traces = drawn(series(point(0), point(1), point(2)), band())
    low = traces["mean ± one deviation, $20.00"]
    assert list(low["y"]) == [80, 80]
    assert low["fill"] == "tonexty"
    assert list(low["x"]) == [START, START + 2 * QUARTER]
    assert list(traces["mean, $100.00"]["y"]) == [100, 100]


def test_a_band_below_nothing_ends_at_the_lowest_price_on_a_log_scale() -> None:
    wide = band(deviation=150.0)
    assert list(drawn(series(point(0)), wide)["mean ± one deviation, $150.00"]["y"]) == [-50, -50]
    on_log = drawn(series(point(0)), wide, log=True)
    assert list(on_log["mean ± one deviation, $150.00"]["y"]) == [90, 90]


def test_without_a_deviation_there_is_no_band() -> None:
    assert set(drawn(series(point(0)), band(deviation=None))) == {"recorded", "24 h volume"}


def test_candles_with_repaired_prices_are_apart_and_say_so() -> None:
    candles = [
        Candle(START + n * QUARTER, 1, 2, 0.5, 1.5, None, 4, repaired, START)
        for n, repaired in [(0, 4), (1, 0)]
    ]
    traces = drawn(Series([], candles, "15m", QUARTER, Request("/")))
    assert traces["recorded"]["opacity"] == 1
    faint = traces["with repaired prices (faint)"]
    assert faint["opacity"] < 1
    assert list(faint["x"]) == [START]
    assert faint["hovertext"][0].endswith("; 4 quotes, 4 repaired")
    assert "24 h volume" not in traces


@pytest.mark.parametrize(("log", "kind"), [(True, "log"), (False, "linear")])
def test_the_layout(*, log: bool, kind: str) -> None:
    figure = price_figure.chart(series(point(0)), None, log=log, currency="usd", key="k")
    assert figure["layout"]["yaxis"]["type"] == kind
    assert figure["layout"]["xaxis"]["rangeslider"]["visible"] is False
    assert figure["layout"]["uirevision"] == "k"
