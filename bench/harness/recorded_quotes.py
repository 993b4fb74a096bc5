"""Quotes for as long as wanted, with the digits that the source's recorded pages have."""

import json
import random
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from market.model.quotes import Quote, parse_row

PATTERN = "markets_usd_page1_2025-12-14T*_run.json"
SLOT = timedelta(minutes=15)
STEP, STEADY = 0.003, 0.00003  # the deviation of a return in 15 minutes; of a coin that follows 1
JITTER_MS = 20_000


class Recorded:
    """The coins of a folder's pages, each walking on from its newest row; or `coins` of them.

    Prices, caps, volumes and changes keep the number of decimals of the recorded row; how far a
    quote's own time lies before its slot is drawn from the recorded ones. Exits if there is no
    page.
    """

    def __init__(self, folder: Path, dice: random.Random, coins: int | None = None) -> None:
        self._dice = dice
        now = datetime.now(UTC)
        pages = [
            [one for row in rows if isinstance(one := parse_row(row, now), Quote)]
            for rows in (json.loads(file.read_bytes()) for file in sorted(folder.glob(PATTERN)))
        ]
        if not pages:
            raise SystemExit(f"{folder} has no page {PATTERN}")
        ages = [max(one.at for one in page) - quote.at for page in pages for quote in page]
        self._ages = [age for age in ages if age < SLOT]
        self._newest = {quote.coin: quote for page in pages for quote in page}
        self.coins = sorted(self._newest)[:coins]

    def series(self, coin: str, slots: Sequence[datetime]) -> Iterator[Quote]:
        """One quote of a coin for each slot."""
        dice, quote = self._dice, self._newest[coin]
        price, volume, change = quote.price, quote.volume_24h, quote.change_24h
        step = STEADY if abs(price - 1) < 0.01 else STEP
        supply = None if quote.market_cap is None else quote.market_cap / price
        decimals = [_decimals(one) for one in (price, quote.market_cap, change, volume)]
        for slot in slots:
            price *= 1 + dice.gauss(0, step)
            volume = None if volume is None else volume * (1 + dice.gauss(0, step))
            change = None if change is None else change + dice.gauss(0, step * 100)
            cap = None if supply is None else price * supply
            numbers = (price, cap, change, volume)
            rounded = [
                None if one is None else round(one, digits)
                for one, digits in zip(numbers, decimals, strict=True)
            ]
            early = dice.choice(self._ages) + timedelta(milliseconds=dice.randrange(JITTER_MS))
            yield quote._replace(
                at=slot - early,
                price=float(rounded[0] or 0),
                market_cap=rounded[1],
                change_24h=rounded[2],
                volume_24h=rounded[3],
            )


def _decimals(number: float | None) -> int:
    """How many digits a number has behind its point."""
    mantissa, _, exponent = repr(number).partition("e")
    behind = mantissa.partition(".")[2]
    return (0 if behind == "0" else len(behind)) - int(exponent or 0)
