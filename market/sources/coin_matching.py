"""Which of another source's coins is which of ours: pure functions over names."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

Key = tuple[str, str]
Found = TypeVar("Found")
SHARED = "more than one coin has its symbol and name"
UNLISTED = "its id is not among the active coins listed under its symbol and name"


def match(
    rows: Iterable[Mapping[str, Any]],
    coins: Mapping[str, Any],
    listed: Iterable[Mapping[str, Any]],
) -> tuple[dict[str, Any], dict[str, str]]:
    """Our coins' ids with the row of each, and why the row of others is in doubt.

    A row is a coin's when both have the same symbol and the same name, in whatever case, and when
    no other row and no other coin has them: 4,342 symbols belong to more than one coin. `listed`
    are all active coins of that source, most of them without a row: the row's own must be the only
    one of them with these names.
    """
    theirs = _by_key((row, row) for row in rows)
    active = _by_key((one.get("id"), one) for one in listed)
    found: dict[str, Any] = {}
    doubts: dict[str, str] = {}
    for key, ids in _by_key(coins.items()).items():
        alike, known = theirs.get(key, []), active.get(key, [])
        if not alike:
            continue
        if max(len(ids), len(alike), len(known)) > 1:
            doubts |= dict.fromkeys(ids, SHARED)
        elif known != [alike[0].get("id")]:
            doubts[ids[0]] = UNLISTED
        else:
            found[ids[0]] = alike[0]
    return found, doubts


def _by_key(named: Iterable[tuple[Found, Mapping[str, Any]]]) -> dict[Key, list[Found]]:
    found: dict[Key, list[Found]] = defaultdict(list)
    for one, names in named:
        symbol, name = _folded(names.get("symbol")), _folded(names.get("name"))
        if symbol and name:
            found[symbol, name].append(one)
    return found


def _folded(text: Any) -> str:
    return " ".join(text.casefold().split()) if isinstance(text, str) else ""
