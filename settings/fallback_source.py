"""The second source: its name, and the currencies in which its prices can be used."""

# https://docs.coinpaprika.com/api-reference/tickers/get-tickers-for-all-active-coins: `quotes`.
_NAMED = """
usd eur pln krw gbp cad jpy rub try nzd aud chf uah hkd sgd ngn php mxn brl thb clp
cny czk dkk huf idr ils inr myr nok pkr sek twd zar vnd bob cop pen ars isk
"""
CURRENCIES = frozenset(_NAMED.split())
# It has prices in these too, with eight decimals: of half a cent in btc, one digit is left.
COARSE = frozenset({"btc", "eth"})


def refusal(name: str | None, currency: str) -> str | None:
    """Why a second source cannot be used with a currency; None if it can."""
    if name is None or currency in CURRENCIES:
        return None
    if currency in COARSE:
        return (
            f"SECOND_SOURCE={name} rounds prices in CURRENCY={currency} to 8 decimals, which makes "
            "low ones up to 100 % wrong: leave SECOND_SOURCE empty, or use a national currency "
            "such as CURRENCY=usd"
        )
    return (
        f"SECOND_SOURCE={name} has no prices in CURRENCY={currency}: leave SECOND_SOURCE empty, or "
        f"take one of {', '.join(sorted(CURRENCIES))}"
    )
