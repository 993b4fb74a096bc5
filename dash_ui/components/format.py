"""How numbers and times are written; a missing one is "n/a", never 0."""

import math
from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Context, Decimal

MISSING = "n/a"
MINUS = "\N{MINUS SIGN}"
DASH = "\N{EN DASH}"
RECORDS = 100
"""The most records that a deviation rests on, by the API's contract."""

SIGNS = {"usd": "$", "eur": "€", "gbp": "£", "jpy": "¥"}
SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
ZEROS_COUNTED = 4
"""From this many zeros after the point on, they are counted rather than written."""

TINY = Decimal("0.01")
WIDE = Decimal(10) ** 18
"""From here on a number, which cannot be real, is written with an exponent, to fit its place."""
SCALES = ((Decimal(10) ** 12, "T"), (Decimal(10) ** 9, "B"), (Decimal(10) ** 6, "M"))
SECONDS = ((86_400, "d"), (3_600, "h"), (60, "min"))


def price(value: float | None, currency: str = "usd") -> str:
    """A price to read: "$64,123.45", "$1.0002", "$0.0₅123"."""
    if value is None:
        return MISSING
    number = _decimal(value)
    if abs(number) >= 10 or not number:
        return _money(_fixed(number, 2), currency)
    if abs(number) >= 1:
        return _money(_fixed(number, 4), currency)
    rounded = Context(prec=4, rounding=ROUND_HALF_EVEN).plus(number).normalize()
    zeros = -rounded.adjusted() - 1
    if zeros < ZEROS_COUNTED:
        return _money(f"{rounded:f}", currency)
    digits = "".join(map(str, rounded.as_tuple().digits))
    sign = "-" if rounded < 0 else ""
    return _money(f"{sign}0.0{str(zeros).translate(SUBSCRIPTS)}{digits}", currency)


def exact(value: float | None, currency: str = "usd") -> str:
    """Every digit that arrived, without an exponent: "$0.00000123"."""
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
    """A change by sign and arrow: "▲ +1.23 %", or "▼" with a true minus; "n/a" after a dash."""
    if percent is None:
        return f"{DASH} {MISSING}"
    text = f"{_fixed(abs(_decimal(percent)), 2)} %"
    if text == "0.00 %":
        return f"= {text}"
    return f"▲ +{text}" if percent > 0 else f"▼ {MINUS}{text}"


def share_of(part: float | None, whole: float | None) -> float | None:
    """`part` in percent of `whole`; None where either is missing, `whole` is not above 0, or no
    number is so large."""
    if part is None or whole is None or whole <= 0:
        return None
    return finite(part / whole * 100)


def finite(number: float) -> float | None:
    """The number; None for one that left the range of numbers, which no JSON can carry."""
    return number if math.isfinite(number) else None


def share(percent: float | None) -> str:
    """A deviation as a share of the price: "0.52 %"; what rounds to nothing is "< 0.01 %"."""
    if percent is None:
        return MISSING
    number = _decimal(percent)
    return f"< {TINY} %" if 0 < number < TINY / 2 else f"{_fixed(number, 2)} %"


def evidence(count: int) -> str:
    """How many records a deviation rests on: "over 37 of 100"."""
    return f"over {count} of {RECORDS}"


def age(seconds: float | None) -> str:
    """How old: "12 s", "3 min", "2 h", "4 d"; rounded down, so that it never sounds older."""
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


def _decimal(value: float) -> Decimal:
    return Decimal(repr(value))


def _fixed(number: Decimal, places: int) -> str:
    return f"{number:,.{places}f}" if abs(number) < WIDE else f"{number:.2e}"


def _money(text: str, currency: str) -> str:
    sign = SIGNS.get(currency.lower(), f"{currency.upper()} ")
    return f"{MINUS}{sign}{text[1:]}" if text.startswith("-") else f"{sign}{text}"
