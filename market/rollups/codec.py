"""Columns of numbers as short texts, exact to the last digit.

A day of hourly candles as 24 documents takes 54 bytes an hour, as a document of columns 15 to 20
(recorded pages, zstd). Text, since zstd packs digits as tightly as any binary form of whole
numbers, and since it can be read.
"""

from collections.abc import Callable, Iterable, Iterator
from decimal import Context, Decimal, Inexact

# Enough for the difference of any two doubles, which have digits from 1e308 to 1e-324.
EXACT = Context(prec=1300, traps=[Inexact])
MISSING = "-"


def whole(numbers: Iterable[int]) -> str:
    """Whole numbers."""
    return " ".join(map(str, numbers))


def wholes(text: str) -> list[int]:
    """What `whole` made a text of."""
    return [int(word) for word in text.split()]


def steps(numbers: Iterable[float | None]) -> str:
    """The first number, then how far each is from the one before; None is left out of that."""
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
    """What `steps` made a text of."""
    last = Decimal(0)
    for word in text.split():
        if word == MISSING:
            yield None
        else:
            last = EXACT.add(last, Decimal(word))
            yield float(last)


def above(numbers: Iterable[float], floors: Iterable[float]) -> str:
    """How far each number is above its floor."""
    pairs = zip(numbers, floors, strict=True)
    return " ".join(_short(EXACT.subtract(decimal(a), decimal(b))) for a, b in pairs)


def raised(text: str, floors: Iterable[float]) -> list[float]:
    """What `above` made a text of."""
    return _from(text, floors, EXACT.add)


def lowered(text: str, tops: Iterable[float]) -> list[float]:
    """What `above` made a text of, from the numbers that were above their floors: the floors."""
    return _from(text, tops, EXACT.subtract)


def _from(
    text: str, others: Iterable[float], move: Callable[[Decimal, Decimal], Decimal]
) -> list[float]:
    pairs = zip(text.split(), others, strict=True)
    return [float(move(decimal(other), Decimal(word))) for word, other in pairs]


def decimal(number: float) -> Decimal:
    """The shortest decimal that is this double: it gives the same double back."""
    return Decimal(int(number)) if number.is_integer() else Decimal(repr(number))


def _short(number: Decimal) -> str:
    return str(number) if number else "0"
