"""AlertQueue whose pause a test ends."""

from datetime import UTC, datetime, timedelta

from pymongo.database import Database

from market.storage.database import Document

AT = datetime(2026, 11, 22, 8, 30, tzinfo=UTC)


def be_patient(database: Database[Document]) -> float:
    """Lets the pause be over; how long it was, in seconds."""
    was = database["notices"].find_one_and_update({}, {"$set": {"not_before": AT}})
    assert was is not None
    return (was["not_before"] - datetime.now(UTC)) / timedelta(seconds=1)  # type: ignore[no-any-return]
