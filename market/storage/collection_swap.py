"""Puts restored collections in the place of what was there: once begun, it can only be finished."""

from pymongo.database import Database
from pymongo.errors import OperationFailure

from market.storage.database import Document
from market.storage.home import HOME
from market.storage.restore_lock import CLAIMS

PREFIX = "restoring_"
EXCHANGE = "restoring"  # the collection, and its one document while an exchange goes on
NAMESPACE_NOT_FOUND = 26


def collections(database: Database[Document]) -> list[str]:
    """The names of all collections that are ours, but for those of a restore and the home's id."""
    names = database.list_collection_names()
    return sorted(
        name
        for name in names
        if not name.startswith(("system.", PREFIX)) and name not in (EXCHANGE, CLAIMS, HOME)
    )


def discard(database: Database[Document]) -> None:
    """Drops what was written for an exchange that has not begun."""
    for name in database.list_collection_names(filter={"name": {"$regex": f"^{PREFIX}"}}):
        database.drop_collection(name)


def exchange(database: Database[Document], names: list[str], prefix: str) -> None:
    """Has each `prefix`NAME take the place of NAME, and drops every other collection.

    MongoDB renames one collection at a time. Whatever ends this process in between, `finish` does
    the rest: what is to be done is written down first.
    """
    database[EXCHANGE].insert_one({"_id": EXCHANGE, "collections": names, "prefix": prefix})
    finish(database)


def finish(database: Database[Document]) -> bool:
    """Finishes an exchange that was begun; False if there is none. Several may do it at once.

    One that stood still meanwhile does nothing to a later exchange, whose prefix is another.
    """
    found = database[EXCHANGE].find_one({"_id": EXCHANGE})
    if found is None:
        return False
    prefix = found.get("prefix", PREFIX)  # an exchange of before has none of its own
    for name in found["collections"]:
        try:
            database[prefix + name].rename(name, dropTarget=True)
        except OperationFailure as error:
            if error.code != NAMESPACE_NOT_FOUND:  # that one has its name already
                raise
    if database[EXCHANGE].find_one(found) is not None:
        for name in set(collections(database)) - set(found["collections"]):
            database.drop_collection(name)
    database[EXCHANGE].delete_one(found)
    return True
