from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api_client.client import Update
from dash_ui.components import format as fmt
from tests.harness.page_data import coin, never, update

MINUS = "\N{MINUS SIGN}"
DASH = "\N{EN DASH}"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "n/a"),
        (0, "$0.00"),
        (2e-10, "$0.0₉2"),
        (0.00000123, "$0.0₅123"),
        (1.23456e-12, "$0.0₁₁1235"),
        (0.0000999999, "$0.0001"),
        (0.00012345, "$0.0001234"),
        (0.5, "$0.5"),
        (0.99999, "$1"),
        (1.00021, "$1.0002"),
        (9.5, "$9.5000"),
        (64123.456, "$64,123.46"),
        (1e6, "$1,000,000.00"),
        (-0.00000123, f"{MINUS}$0.0₅123"),
    ],
)
def test_price(value: float | None, text: str) -> None:
    assert fmt.price(value) == text


def test_price_in_another_currency() -> None:
    assert fmt.price(12, "eur") == "€12.00"
    assert fmt.price(12, "chf") == "CHF 12.00"


@given(st.floats(min_value=2e-10, max_value=1e6))
def test_a_price_is_read_back_to_four_digits(value: float) -> None:
    text = fmt.price(value).removeprefix("$").replace(",", "")
    for place in range(4, 12):
        counted = f"0.0{str(place).translate(fmt.SUBSCRIPTS)}"
        if text.startswith(counted) and text[len(counted) :].isascii():
            text = "0." + "0" * place + text.removeprefix(counted)
    assert float(text) == pytest.approx(value, rel=1e-3)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "n/a"),
        (2e-10, "$0.0000000002"),
        (64123.45, "$64,123.45"),
        (1_234_567_890_123, "$1,234,567,890,123"),
    ],
)
def test_exact(value: float | None, text: str) -> None:
    assert fmt.exact(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "n/a"),
        (1.234e12, "$1.23 T"),
        (999_999_999_999, "$1.00 T"),
        (4.56e9, "$4.56 B"),
        (7.89e6, "$7.89 M"),
        (123_456, "$123,456"),
    ],
)
def test_big(value: float | None, text: str) -> None:
    assert fmt.big(value) == text


@pytest.mark.parametrize(
    ("percent", "text"),
    [
        (None, f"{DASH} n/a"),
        (1.234, "▲ +1.23 %"),
        (-4.56, f"▼ {MINUS}4.56 %"),
        (0, "= 0.00 %"),
        (-0.004, "= 0.00 %"),
        (1234.5, "▲ +1,234.50 %"),
    ],
)
def test_change(percent: float | None, text: str) -> None:
    assert fmt.change(percent) == text


@pytest.mark.parametrize(
    ("part", "whole", "percent"),
    [(1, 200, 0.5), (0, 200, 0), (None, 200, None), (1, None, None), (1, 0, None)],
)
def test_share_of(part: float | None, whole: float | None, percent: float | None) -> None:
    assert fmt.share_of(part, whole) == percent


@pytest.mark.parametrize(
    ("percent", "text"),
    [(None, "n/a"), (0, "0.00 %"), (0.001, "< 0.01 %"), (0.523, "0.52 %"), (2e3, "2,000.00 %")],
)
def test_share(percent: float | None, text: str) -> None:
    assert fmt.share(percent) == text


def test_evidence() -> None:
    assert fmt.evidence(37) == "37 of 100 prices"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "n/a"),
        (-3, "0 s"),
        (0, "0 s"),
        (59.9, "59 s"),
        (60, "1 min"),
        (3_599, "59 min"),
        (7_200, "2 h"),
        (4 * 86_400 + 5, "4 d"),
    ],
)
def test_age(seconds: float | None, text: str) -> None:
    assert fmt.age(seconds) == text


def test_moment_is_in_utc() -> None:
    assert fmt.moment(None) == "n/a"
    assert fmt.moment(datetime(2025, 11, 22, 21, 30, 5, tzinfo=UTC)) == "2025-11-22 21:30:05 UTC"
    east = timezone(timedelta(hours=2))
    assert fmt.moment(datetime(2025, 11, 22, 1, 0, tzinfo=east)) == "2025-11-21 23:00:00 UTC"


def test_counted() -> None:
    assert fmt.counted(1, "coin") == "1 coin"
    assert fmt.counted(1_200, "coin") == "1,200 coins"


@pytest.mark.parametrize(
    ("ended", "said"),
    [
        (update(), "98 new quotes, 2 coins skipped"),
        (update(counts={"stored": 1}), "1 new quote"),
        (update(counts={"stored": 0, "left_out": 0}), "nothing changed"),
        (update(counts=None), "updated"),
        (None, "updated"),
    ],
)
def test_a_refresh_is_told_by_what_it_stored(ended: Update | None, said: str) -> None:
    assert fmt.update_result(ended) == said


def test_only_prices_that_are_not_real_are_called_simulated() -> None:
    assert fmt.simulated([coin(), never("New")]) == ""
    made_up, replayed = coin(source="simulator"), coin(source="replay")
    assert fmt.simulated([coin(), made_up]) == "Simulated market: these prices are made up."
    assert "recorded ones" in fmt.simulated([replayed])
    assert fmt.simulated([replayed, made_up]).count("Simulated market") == 2
