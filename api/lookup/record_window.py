"""The records that a number is asked over: a coin's newest, or those of a window, as of a time."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from api.errors import refuse
from api.extensions import Services
from api.lookup.coin_lookup import saw
from api.lookup.retention_guard import gone_before
from market.model.quotes import DEVIATION_WINDOW
from market.storage.quote_history import MILLISECOND, Record


@dataclass(frozen=True)
class RecordWindow:
    """What is asked for: the newest `records`, those of `window`, or the newest of a window.

    `as_of` is None for now; `moment` is the time that the answer is of.
    """

    moment: datetime
    records: int | None
    window: timedelta | None
    repaired: bool
    as_of: datetime | None

    @classmethod
    def asked(cls, query: dict[str, Any]) -> "RecordWindow":
        """The stretch of a RecordWindowQuery. An `as_of` still to come means now."""
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
        """A coin's records, newest first; refuses a window that holds more than `most`, and one,
        or a number of records, that reaches back to where originals are no longer kept."""
        limit = most + 1 if self.records is None else self.records
        start = self._start + MILLISECOND if self._start else None
        found = self._records(services, coin, start, None, limit)
        saw(services, coin, found)
        if len(found) > most:
            refuse(
                422,
                f"The window holds more than the {most} records of {coin!r} that are allowed; ask "
                "for a shorter one, or for its newest by records",
            )
        if self.records is None or len(found) < self.records:
            self._check(services, coin)
        return found

    def _check(self, services: Services, coin: str) -> None:
        """Refuses with a 410 what reaches back to where some originals are gone."""
        if kept_from := gone_before(services, [coin], self._start):
            refuse(
                410,
                f"It reaches back to before {kept_from.isoformat()}, and the quotes of {coin!r} "
                "from before then are no longer kept (RETENTION). Ask for fewer records or a "
                f"shorter window; /v1/coins/{coin}/candles has all times",
            )

    def bounds(self, found: list[Record]) -> tuple[datetime, datetime] | None:
        """The window of the records found; None where their number bounds them and not time."""
        if self._start is None or len(found) == self.records:
            return None
        return self._start, self.moment

    def before(self, services: Services, coin: str) -> list[Record]:
        """The record before the window, if there is any."""
        end = self._start + MILLISECOND if self._start else None
        return self._records(services, coin, None, end, 1)

    @property
    def _start(self) -> datetime | None:
        return None if self.window is None else self.moment - self.window

    def _records(
        self,
        services: Services,
        coin: str,
        start: datetime | None,
        end: datetime | None,
        limit: int,
    ) -> list[Record]:
        return services.history.records(
            coin, start=start, end=end, limit=limit, repaired=self.repaired, as_of=self.as_of
        )
