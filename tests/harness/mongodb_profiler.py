"""How MongoDB carried out what was asked of it, by its own profiler."""

from collections.abc import Callable
from typing import Any

from pymongo.database import Database

from market.storage.database import Document


def profiled(
    database: Database[Document], work: Callable[[], Any], *collections: str
) -> list[Document]:
    """What MongoDB noted of each operation on the ledger, or on these, while `work` was done."""
    database.command("profile", 0)
    database.drop_collection("system.profile")
    database.command("profile", 2)
    try:
        work()
    finally:
        database.command("profile", 0)
    names = [f"{database.name}.{name}" for name in collections or ("updates",)]
    return list(database["system.profile"].find({"ns": {"$in": names}}))


def scans(operation: Document) -> bool:
    """Whether it read a collection from end to end, or sorted what it had read."""
    return "COLLSCAN" in operation.get("planSummary", "") or bool(operation.get("hasSortStage"))
