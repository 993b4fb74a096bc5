"""Which of another source's coins is which of ours: pure functions over names."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

Key = tuple[str, str]
Found = TypeVar("Found")


def match(
    rows: Iterable[Mapping[str, Any]], coins: Mapping[str, Any]
) -> tuple[dict[str, Any], set[str]]:
    """Our coins' ids with the row of each, and those whose row cannot be told from another's.

    A row is a coin's when both have the same symbol and the same name, in whatever case, and when
    no other row and no other coin has them: 4,342 symbols belong to more than one coin.
    """
    theirs = _by_key((row, row) for row in rows)
    found, ambiguous = {}, set()
    for key, ids in _by_key(coins.items()).items():
        alike = theirs.get(key, [])
        if len(ids) == len(alike) == 1:
            found[ids[0]] = alike[0]
        elif alike:
            ambiguous.update(ids)
    return found, ambiguous


def _by_key(named: Iterable[tuple[Found, Mapping[str, Any]]]) -> dict[Key, list[Found]]:
    found: dict[Key, list[Found]] = defaultdict(list)
    for one, names in named:
        symbol, name = _folded(names.get("symbol")), _folded(names.get("name"))
        if symbol and name:
            found[symbol, name].append(one)
    return found


def _folded(text: Any) -> str:
    return " ".join(text.casefold().split()) if isinstance(text, str) else ""
