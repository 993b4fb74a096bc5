"""The second source's settings: off by default, and for its currencies alone."""

import pytest
from pydantic import ValidationError

from settings import Settings
from settings.second_source import CURRENCIES, refusal


def test_it_is_off_by_default() -> None:
    assert Settings().second_source is None


@pytest.mark.parametrize("currency", ["usd", "eur", "btc", "isk"])
def test_currencies_that_it_knows(currency: str) -> None:
    assert Settings(second_source="coinpaprika", currency=currency).currency == currency
    assert len(CURRENCIES) == 42


def test_a_currency_that_it_does_not_know_is_refused_with_what_to_do() -> None:
    assert refusal(None, "xdr") is None
    with pytest.raises(ValidationError) as raised:
        Settings(second_source="coinpaprika", currency="xdr")
    assert (
        "SECOND_SOURCE=coinpaprika has no prices in CURRENCY=xdr: leave SECOND_SOURCE empty, or "
        "take one of ars, aud, "
    ) in str(raised.value)


@pytest.mark.parametrize(
    ("market", "label"),
    [("live", "coinpaprika"), ("demo", "simulator-2"), ("replay", "replay-2")],
)
def test_a_simulated_price_is_never_marked_as_a_real_one(market: str, label: str) -> None:
    made = Settings.model_validate({"second_source": "coinpaprika", "market": market})
    assert made.second_label == label
