"""The switch that stops the mending of history, and starts it again."""

from datetime import datetime

from pymongo.database import Database

from market.storage.database import Document

SWITCHES = "switches"
REPAIRS = "repairs"


class Pause:
    """One switch for the whole system, kept in the database."""

    def __init__(self, database: Database[Document]) -> None:
        self._switches = database[SWITCHES]

    def since(self) -> datetime | None:
        """When the mending was paused; None while it goes on."""
        switch = self._switches.find_one({"_id": REPAIRS})
        return switch["since"] if switch else None

    def begin(self, now: datetime) -> None:
        """Pauses it, unless it is paused already: whatever is being mended comes to its end."""
        self._switches.update_one({"_id": REPAIRS}, {"$setOnInsert": {"since": now}}, upsert=True)

    def end(self) -> None:
        """Lets it go on."""
        self._switches.delete_one({"_id": REPAIRS})
