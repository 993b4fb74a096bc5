"""Wraps a database so that every operation checks a lease first: no caller can forget to."""

from collections.abc import Callable
from functools import wraps
from typing import Any, cast

from pymongo.collection import Collection
from pymongo.database import Database

Document = dict[str, Any]
Check = Callable[[], None]  # raises LeaseLost when another process has, or may have, the claim


def fenced(database: Database[Document], check: Check) -> Database[Document]:
    """Returns the database, with `check` before each operation on its collections.

    Reads are checked too: what follows them is useless without the lease. A process may still be
    frozen between the check and MongoDB's receipt; so the ledger's own writes carry the fence in
    their filter, and quotes are keyed by coin and time.
    """
    return cast("Database[Document]", _FencedDatabase(database, check))


class _FencedDatabase:
    def __init__(self, database: Database[Document], check: Check) -> None:
        self._database = database
        self._check = check

    def __getitem__(self, name: str) -> "_FencedCollection":
        return _FencedCollection(self._database[name], self._check)


class _FencedCollection:
    def __init__(self, collection: Collection[Document], check: Check) -> None:
        self._collection = collection
        self._check = check

    def __getattr__(self, name: str) -> Any:
        operation = getattr(self._collection, name)

        @wraps(operation)
        def checked(*arguments: Any, **named: Any) -> Any:
            self._check()
            found = operation(*arguments, **named)
            return _FencedCollection(found, self._check) if _is_collection(found) else found

        return checked


def _is_collection(found: object) -> bool:
    return isinstance(found, Collection)
