"""Encodes columns of numbers as short texts, exact to the last digit.

A day of hourly candles takes 54 bytes an hour as 24 documents, and 15 to 20 as one document of
columns (recorded pages, zstd). The columns are text: zstd compresses digits as well as any binary
form of whole numbers, and text can be read.
"""

from collections.abc import Callable, Iterable, Iterator
from decimal import Context, Decimal, Inexact

# Enough for the difference of any two doubles, whose digits range from 1e308 to 1e-324.
EXACT = Context(prec=1300, traps=[Inexact])
MISSING = "-"


def whole(numbers: Iterable[int]) -> str:
    """Encodes whole numbers."""
    return " ".join(map(str, numbers))


def wholes(text: str) -> list[int]:
    """Decodes what `whole` encoded."""
    return [int(word) for word in text.split()]


def steps(numbers: Iterable[float | None]) -> str:
    """Encodes the first number, then the difference of each from the one before; skips None."""
    words, last = [], Decimal(0)
    for number in numbers:
        if number is None:
            words.append(MISSING)
        else:
            exact = decimal(number)
            words.append(_short(EXACT.subtract(exact, last)))
            last = exact
    return " ".join(words)


def numbers(text: str) -> Iterator[float | None]:
    """Decodes what `steps` encoded."""
    last = Decimal(0)
    for word in text.split():
        if word == MISSING:
            yield None
        else:
            last = EXACT.add(last, Decimal(word))
            yield float(last)


def above(numbers: Iterable[float], floors: Iterable[float]) -> str:
    """Encodes how far each number is above its floor."""
    pairs = zip(numbers, floors, strict=True)
    return " ".join(_short(EXACT.subtract(decimal(a), decimal(b))) for a, b in pairs)


def raised(text: str, floors: Iterable[float]) -> list[float]:
    """Decodes what `above` encoded, given the floors."""
    return _from(text, floors, EXACT.add)


def lowered(text: str, tops: Iterable[float]) -> list[float]:
    """Decodes the floors from what `above` encoded, given the numbers."""
    return _from(text, tops, EXACT.subtract)


def _from(
    text: str, others: Iterable[float], move: Callable[[Decimal, Decimal], Decimal]
) -> list[float]:
    pairs = zip(text.split(), others, strict=True)
    return [float(move(decimal(other), Decimal(word))) for word, other in pairs]


def decimal(number: float) -> Decimal:
    """Returns the shortest decimal that converts back to the same double."""
    return Decimal(int(number)) if number.is_integer() else Decimal(repr(number))


def _short(number: Decimal) -> str:
    return str(number) if number else "0"
