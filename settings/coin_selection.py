"""Parses COINS, the selection of coins to collect."""

from quota.planner import CoinSelection

MAX_ID_LENGTH = 128
MAX_TOP = 20_000  # CoinGecko listed 17,892 coins in August 2025


def parse_coins(text: str) -> CoinSelection:
    """Parses text such as `bitcoin,top:100`; raises ValueError naming the invalid part."""
    ids: dict[str, None] = {}
    top = 0
    for part in (part.strip() for part in text.split(",")):
        if part.startswith("top:"):
            number = part.removeprefix("top:")
            if not (number.isascii() and number.isdigit() and 1 <= int(number) <= MAX_TOP):
                raise ValueError(f"{part!r}: top: needs a number from 1 to {MAX_TOP}")
            top = max(top, int(number))
        elif not part or len(part) > MAX_ID_LENGTH or not part.isprintable():
            raise ValueError(
                f"{part!r} is not a coin id: 1 to {MAX_ID_LENGTH} printable characters, no comma"
            )
        else:
            ids[part] = None
    return CoinSelection(tuple(ids), top)
