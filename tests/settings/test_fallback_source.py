"""The second source's settings: off by default, and for its currencies alone."""

import pytest
from pydantic import ValidationError

from settings import Settings
from settings.model import FALLBACK_CURRENCIES, fallback_error


def test_it_is_off_by_default() -> None:
    assert Settings().second_source is None


@pytest.mark.parametrize("currency", ["usd", "eur", "krw", "isk"])
def test_currencies_that_it_knows(currency: str) -> None:
    assert Settings(second_source="coinpaprika", currency=currency).currency == currency
    assert len(FALLBACK_CURRENCIES) == 40


@pytest.mark.parametrize("currency", ["btc", "eth"])
def test_a_currency_in_which_it_rounds_low_prices_away_is_refused(currency: str) -> None:
    assert fallback_error(None, currency) is None
    with pytest.raises(ValidationError) as raised:
        Settings(second_source="coinpaprika", currency=currency)
    assert (
        f"SECOND_SOURCE=coinpaprika rounds prices in CURRENCY={currency} to 8 decimals, which "
        "makes low ones up to 100 % wrong: leave SECOND_SOURCE empty, or use a national currency "
        "such as CURRENCY=usd"
    ) in str(raised.value)


# What CoinGecko offers and no country issues: /simple/supported_vs_currencies of 2024-01-26.
OF_NO_COUNTRY = "btc eth ltc bch bnb eos xrp xlm link dot yfi xdr xag xau bits sats"


@pytest.mark.parametrize("currency", OF_NO_COUNTRY.split())
def test_with_no_currency_of_great_value_is_it_used(currency: str) -> None:
    with pytest.raises(ValidationError, match=f"CURRENCY={currency}"):
        Settings(second_source="coinpaprika", currency=currency)


def test_a_currency_that_it_does_not_know_is_refused_with_what_to_do() -> None:
    assert fallback_error(None, "xdr") is None
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
    assert made.fallback_label == label
