"""Replays recorded pages of /coins/markets, one capture after the other."""

from __future__ import annotations

import json
from pathlib import Path
from threading import Lock

from logs.redaction import plain
from simulator.rows import Query, Row


class ReplayError(ValueError):
    """A folder cannot be replayed; the message names the file."""


class Replay:
    """Serves the captures of a folder, in the order of their names.

    The n-th request of the same path and query gets capture n, so that two different calls of
    one update see the same capture. The last capture is then repeated. Rows are served as recorded.
    `pattern` selects the files. `currency` is the one that they were recorded in, which the
    captures do not state. Raises ReplayError if no file matches, or one is not a list of rows.
    """

    def __init__(
        self, folder: Path | str, pattern: str = "*markets*.json", currency: str = "usd"
    ) -> None:
        self.currencies = frozenset({currency})
        self.files = sorted(Path(folder).glob(pattern))
        if not self.files:
            raise ReplayError(f"{folder} has no file {pattern}")
        self._captures = [_rows(path) for path in self.files]
        self._lock = Lock()
        self._requests: dict[str, int] = {}
        self._newest = 0
        self._frozen: dict[tuple[str, int], Row | None] = {}

    def markets(self, query: Query, now: int) -> list[Row]:
        """Returns rows of the next capture for `query.key`, whatever `now` is.

        Ids and pages are selected from the capture's rows, in their order.
        """
        rows = self._captures[self._turn(query.key)]
        if query.ids is not None:
            ids = set(query.ids)
            rows = [row for row in rows if row["id"] in ids]
        rows = [row for row in rows if row["id"] not in query.without]
        first = (query.page - 1) * query.per_page
        return [row.copy() for row in rows[first : first + query.per_page]]

    def _turn(self, key: str) -> int:
        with self._lock:
            turn = min(self._requests.get(key, 0), len(self._captures) - 1)
            self._requests[key] = turn + 1
            self._newest = max(self._newest, turn)
            return turn

    def frozen(self, coin_id: str, query: Query, since: int) -> Row | None:
        """Returns the coin's row in the newest capture at the first call for `since`."""
        with self._lock:
            key = (coin_id, since)
            if key not in self._frozen:
                rows = self._captures[self._newest]
                self._frozen[key] = next((row for row in rows if row["id"] == coin_id), None)
            row = self._frozen[key]
        return None if row is None else row.copy()

    def listing(self) -> list[Row]:
        """Returns id, symbol and name of every coin of every capture, by id."""
        found = {row["id"]: row for rows in self._captures for row in rows}
        return [
            {"id": key, "symbol": found[key].get("symbol"), "name": found[key].get("name")}
            for key in sorted(found)
        ]

    def chart(
        self,
        coin_id: str,
        currency: str,
        start: int,
        end: int,
        *,
        now: int,
        step: int | None = None,
    ) -> Row | None:
        """Returns None: recorded pages contain no charts."""
        return None


def _rows(path: Path) -> list[Row]:
    try:
        # Recorded pages may hold bytes that are not UTF-8, and control characters in names.
        text = path.read_bytes().decode("utf-8", "surrogateescape").removeprefix("\ufeff")
        document = json.loads(text, strict=False)
    except (ValueError, RecursionError) as error:
        raise ReplayError(f"{path} is not JSON: {plain(error)}") from error
    if not isinstance(document, list) or not document:
        raise ReplayError(f"{path} is not a list of rows")
    for place, row in enumerate(document):
        if not (isinstance(row, dict) and isinstance(row.get("id"), str)):
            raise ReplayError(f"{path}: row {place} has no id")
    return document
