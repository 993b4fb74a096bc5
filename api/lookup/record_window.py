"""Reads the records that a statistic covers: a coin's newest, or those of a time window."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from api.errors import refuse
from api.extensions import Services
from api.lookup.coin_lookup import note_records
from api.lookup.retention_guard import deleted_before
from market.model.quotes import DEVIATION_WINDOW
from market.storage.quote_history import MILLISECOND, Record


@dataclass(frozen=True)
class RecordWindow:
    """The newest `records`, the records of `window`, or the newest of a window.

    `as_of` is None for now; `moment` is the time that the response describes.
    """

    moment: datetime
    records: int | None
    window: timedelta | None
    repaired: bool
    as_of: datetime | None

    @classmethod
    def from_query(cls, query: dict[str, Any]) -> "RecordWindow":
        """The window that a RecordWindowQuery asks for. A future `as_of` means now."""
        now = datetime.now(UTC)
        as_of = query.get("as_of")
        records, window = query.get("records"), query.get("window")
        return cls(
            moment=min(as_of or now, now),
            records=DEVIATION_WINDOW if records is None and window is None else records,
            window=window,
            repaired=query["include"] == "repaired",
            as_of=as_of,
        )

    def read(self, services: Services, coin: str, most: int) -> list[Record]:
        """Reads a coin's records, newest first.

        Refuses a window that holds more than `most` records, and a query that reaches back to
        where quotes have been deleted.
        """
        limit = most + 1 if self.records is None else self.records
        start = self._start + MILLISECOND if self._start else None
        found = self._records(services, coin, limit, start=start)
        note_records(services, coin, found)
        if len(found) > most:
            refuse(
                422,
                f"The window holds more than {most} records of {coin!r}, the most allowed; use a "
                "shorter window, or set records",
            )
        reaches_back = self.records is None or len(found) < self.records
        if reaches_back and (kept_from := deleted_before(services, [coin], self._start)):
            refuse(
                410,
                f"Quotes of {coin!r} from before {kept_from.isoformat()} have been deleted "
                "(RETENTION). Ask for fewer records or a shorter window; "
                f"/v1/coins/{coin}/candles covers all times",
            )
        return found

    def bounds(self, found: list[Record]) -> tuple[datetime, datetime] | None:
        """Returns the time bounds of the records; None where only their number bounds them."""
        if self._start is None or len(found) == self.records:
            return None
        return self._start, self.moment

    def preceding(self, services: Services, coin: str) -> list[Record]:
        """Reads the record before the window, if there is any."""
        end = self._start + MILLISECOND if self._start else None
        return self._records(services, coin, 1, end=end)

    @property
    def _start(self) -> datetime | None:
        return None if self.window is None else self.moment - self.window

    def _records(
        self, services: Services, coin: str, limit: int, **bounds: datetime | None
    ) -> list[Record]:
        return services.history.records(
            coin, limit=limit, repaired=self.repaired, as_of=self.as_of, **bounds
        )
