"""The second source: its name, and the currencies that it knows."""

# https://docs.coinpaprika.com/api-reference/tickers/get-tickers-for-all-active-coins: `quotes`.
_NAMED = """
btc eth usd eur pln krw gbp cad jpy rub try nzd aud chf uah hkd sgd ngn php mxn brl thb clp
cny czk dkk huf idr ils inr myr nok pkr sek twd zar vnd bob cop pen ars isk
"""
CURRENCIES = frozenset(_NAMED.split())


def refusal(name: str | None, currency: str) -> str | None:
    """Why a second source cannot be used with a currency; None if it can."""
    if name is None or currency in CURRENCIES:
        return None
    return (
        f"SECOND_SOURCE={name} has no prices in CURRENCY={currency}: leave SECOND_SOURCE empty, or "
        f"take one of {', '.join(sorted(CURRENCIES))}"
    )
