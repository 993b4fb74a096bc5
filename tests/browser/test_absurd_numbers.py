"""One absurd number of one coin: the pages show that coin so, and all others as ever."""

import json
import sys
from dataclasses import fields, replace
from datetime import timedelta
from typing import Any

import pytest
from dash._utils import to_json

from api_client.client import Coin
from api_client.coin_history import Candle, Point, Request, Series
from dash_ui.pages.coin import header
from dash_ui.pages.coin import outputs as coin_outputs
from dash_ui.pages.coin.query import Choice, Reading
from dash_ui.pages.market import outputs as market_outputs
from tests.harness.candle_bands import band
from tests.harness.page_data import AS_OF, coin

LARGEST, SMALLEST = sys.float_info.max, 5e-324
ABSURD = (None, 0.0, -0.0, SMALLEST, 1e-300, 1e17, 1e26, 1e300, LARGEST, -1e26, -LARGEST)
OTHERS = ("week", "age_seconds")  # the API's own clock gives the age
NUMBERS = [one.name for one in fields(Coin) if "float" in str(one.type) and one.name not in OTHERS]
NOW = AS_OF + timedelta(seconds=90)
WEEKS = ((SMALLEST, LARGEST), (LARGEST, SMALLEST), (0.0, 1e300), (1e300, None, 1e300))


def sent(values: Any) -> Any:
    """What a browser makes of it: NaN and infinities are no JSON."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    text = to_json(values)  # type: ignore[no-untyped-call]
    return json.loads(text, parse_constant=refuse)


def market(*coins: Coin, unit: Any = "share") -> Any:
    return sent(market_outputs.render(coins, None, None, now=NOW, unit=unit, currency="usd"))


@pytest.mark.parametrize("unit", ["share", "money"])
@pytest.mark.parametrize("number", ABSURD)
@pytest.mark.parametrize("name", NUMBERS)
def test_the_market_shows_all_other_coins(name: str, number: float | None, unit: str) -> None:
    others = [coin("Ethereum"), coin("Pepe")]
    absurd: dict[str, Any] = {name: number}
    values = market(others[0], coin(**absurd), others[1], unit=unit)
    assert [row["id"] for row in values["rows"]] == ["ethereum", "bitcoin", "pepe"]
    ethereum, absurd_row, pepe = values["rows"]
    assert [ethereum, pepe] == market(*others)["rows"]
    assert all(len(absurd_row[text]) < 40 for text in absurd_row if text.endswith("_text"))


@pytest.mark.parametrize("week", WEEKS)
def test_the_market_shows_any_week(week: tuple[float | None, ...]) -> None:
    rows = market(coin(week=week), coin("Pepe"))["rows"]
    assert [row["id"] for row in rows] == ["bitcoin", "pepe"]
    assert len(rows[0]["week"]) == len(week)


@pytest.mark.parametrize("kind", ["line", "candles"])
@pytest.mark.parametrize("scale", ["linear", "log"])
@pytest.mark.parametrize("number", ABSURD)
def test_the_coin_page_shows_its_figures(number: float | None, scale: str, kind: str) -> None:
    price = number or 0.0
    points = [Point(AS_OF, 1.0, 1.0, None), Point(NOW, price, number, None)]
    candles = [Candle(AS_OF, price, price, 1.0, 1.0, number, 1, 0, NOW)]
    series = Series(
        points if kind == "line" else [],
        candles if kind == "candles" else [],
        "1h",
        timedelta(hours=1),
        Request("/"),
    )
    found = band()
    measured = replace(found, measures=dict.fromkeys(found.measures, number))
    reading = Reading(series, measured, Request("/"), measured, Request("/"))
    absurd = coin(price=number, change_24h=number, volume_24h=number)
    values = coin_outputs.render_reading(
        absurd,
        header.render(absurd, "usd", ""),
        NOW,
        reading,
        Choice("24h", kind, scale, "recorded", "recorded"),
        currency="usd",
        api_url="http://127.0.0.1",
    )
    assert sent(values)["figure"]["figure"]["data"]
