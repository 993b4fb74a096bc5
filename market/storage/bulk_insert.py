"""Inserting documents of which some may be there already: a try before may have stored them."""

from collections.abc import Sequence
from typing import Any

from pymongo.collection import Collection
from pymongo.errors import BulkWriteError

DUPLICATE_KEY = 11000

Document = dict[str, Any]


def insert_new(collection: Collection[Document], documents: Sequence[Document]) -> int:
    """Inserts those whose key is not there; the others stay as they are. The number new.

    Raises BulkWriteError when anything else was refused, or the majority does not have them.
    """
    if not documents:
        return 0
    try:
        return len(collection.insert_many(documents, ordered=False).inserted_ids)
    except BulkWriteError as error:
        if not only_doubles(error):
            raise
        return int(error.details["nInserted"])


def only_doubles(error: BulkWriteError) -> bool:
    """Whether what was refused is there already, and the rest is safe with the majority."""
    return not error.details["writeConcernErrors"] and all(
        one["code"] == DUPLICATE_KEY for one in error.details["writeErrors"]
    )
