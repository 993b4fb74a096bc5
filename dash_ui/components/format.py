"""Formats numbers, times and states for people; a missing number is "n/a", never 0."""

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Context, Decimal

from api_client.client import ApiError, Coin, Update

MISSING = "n/a"
MINUS = "\N{MINUS SIGN}"
DASH = "\N{EN DASH}"
DEVIATION_WINDOW = 100
"""The API measures a deviation over at most this many records."""

SIGNS = {"usd": "$", "eur": "€", "gbp": "£", "jpy": "¥"}
SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
MIN_COUNTED_ZEROS = 4
"""This many zeros or more after the decimal point are written as a subscript count."""

TINY = Decimal("0.01")
WIDE = Decimal(10) ** 18
"""Numbers from here on cannot be real; they get an exponent so that they fit their place."""
SCALES = ((Decimal(10) ** 12, "T"), (Decimal(10) ** 9, "B"), (Decimal(10) ** 6, "M"))
SECONDS = ((86_400, "d"), (3_600, "h"), (60, "min"))
ZERO_CHANGE = 0.005  # percent; a smaller change is shown as 0.00 %
FRESHNESS = {"fresh": "● fresh", "late": "◐ late", "stale": "○ stale", "never": f"{DASH} never"}
SIMULATED = {
    "simulator": "Simulated market: these prices are made up.",
    "replay": "Simulated market: these prices are a replay of recorded ones.",
    "simulator-2": "Simulated market: these prices are made up, from its fallback source.",
    "replay-2": "Simulated market: a replay of recorded ones, from its fallback source.",
}


def price(value: float | None, currency: str = "usd") -> str:
    """A price: "$64,123.45", "$1.0002", "$0.0₅123"."""
    if value is None:
        return MISSING
    number = _decimal(value)
    if abs(number) >= 10 or not number:
        return _money(_fixed(number, 2), currency)
    if abs(number) >= 1:
        return _money(_fixed(number, 4), currency)
    rounded = Context(prec=4, rounding=ROUND_HALF_EVEN).plus(number).normalize()
    zeros = -rounded.adjusted() - 1
    if zeros < MIN_COUNTED_ZEROS:
        return _money(f"{rounded:f}", currency)
    digits = "".join(map(str, rounded.as_tuple().digits))
    sign = "-" if rounded < 0 else ""
    return _money(f"{sign}0.0{str(zeros).translate(SUBSCRIPTS)}{digits}", currency)


def exact(value: float | None, currency: str = "usd") -> str:
    """A price with every digit that the API sent, without an exponent: "$0.00000123"."""
    return MISSING if value is None else _money(f"{_decimal(value):,f}", currency)


def big(value: float | None, currency: str = "usd") -> str:
    """A market cap or a volume: "$1.23 T", "$4.56 B", "$7.89 M", "$123,456"."""
    if value is None:
        return MISSING
    number = _decimal(value)
    for size, letter in SCALES:
        if Decimal("0.995") * size <= abs(number) < WIDE:
            return _money(f"{_fixed(number / size, 2)} {letter}", currency)
    return _money(_fixed(number, 0), currency)


def change(percent: float | None) -> str:
    """A change with its arrow and sign: "▲ +1.23 %", "▼ −1.23 %"."""
    if percent is None:
        return f"{DASH} {MISSING}"
    text = f"{_fixed(abs(_decimal(percent)), 2)} %"
    if text == "0.00 %":
        return f"= {text}"
    return f"▲ +{text}" if percent > 0 else f"▼ {MINUS}{text}"


def share_of(part: float | None, whole: float | None) -> float | None:
    """`part` in percent of `whole`; None if either is missing, `whole` is not positive, or the
    result is too large for a float."""
    if part is None or whole is None or whole <= 0:
        return None
    return finite(part / whole * 100)


def finite(number: float) -> float | None:
    """The number; None for infinity and NaN, which JSON cannot represent."""
    return number if math.isfinite(number) else None


def share(percent: float | None) -> str:
    """A share: "0.52 %"; a share that would round to zero is "< 0.01 %"."""
    if percent is None:
        return MISSING
    number = _decimal(percent)
    return f"< {TINY} %" if 0 < number < TINY / 2 else f"{_fixed(number, 2)} %"


def evidence(count: int) -> str:
    """How many records a deviation is based on: "37 of 100 prices"."""
    return f"{count} of {DEVIATION_WINDOW} prices"


def age(seconds: float | None) -> str:
    """An age, rounded down: "12 s", "3 min", "2 h", "4 d"."""
    if seconds is None:
        return MISSING
    whole = max(0, int(seconds))
    for size, unit in SECONDS:
        if whole >= size:
            return f"{whole // size} {unit}"
    return f"{whole} s"


def moment(at: datetime | None) -> str:
    """A time in UTC: "2025-11-22 21:30:05 UTC"."""
    return MISSING if at is None else f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def counted(number: int, noun: str) -> str:
    """A count with its noun: "1 coin", "1,200 coins"."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def change_class(change: float | None) -> str:
    """The CSS class that colours a change; none if it is shown as zero."""
    if change is None or abs(change) < ZERO_CHANGE:
        return ""
    return "koinx-up" if change > 0 else "koinx-down"


def simulated(coins: Sequence[Coin]) -> str:
    """A notice for each simulated source among the coins; empty if all prices are real."""
    sources = {coin.source for coin in coins}
    return " ".join(notice for source, notice in SIMULATED.items() if source in sources)


def outage(error: ApiError, read_at: str | None) -> str:
    """What to do about an outage, and when the data on the page was read."""
    since = ""
    if read_at:
        read = moment(datetime.fromisoformat(read_at))
        since = f" Showing the last known data, read at {read}."
    return f"{error.next_step} Retrying automatically.{since}"


def update_result(update: Update | None) -> str:
    """What a finished update stored: "98 new quotes, 2 coins skipped"."""
    if update is None or update.counts is None:
        return "updated"
    stored, skipped = update.counts.get("stored", 0), update.counts.get("left_out", 0)
    result = counted(stored, "new quote") if stored else "nothing changed"
    return f"{result}, {counted(skipped, 'coin')} skipped" if skipped else result


def _decimal(value: float) -> Decimal:
    return Decimal(repr(value))


def _fixed(number: Decimal, places: int) -> str:
    return f"{number:,.{places}f}" if abs(number) < WIDE else f"{number:.2e}"


def _money(text: str, currency: str) -> str:
    sign = SIGNS.get(currency.lower(), f"{currency.upper()} ")
    return f"{MINUS}{sign}{text[1:]}" if text.startswith("-") else f"{sign}{text}"
