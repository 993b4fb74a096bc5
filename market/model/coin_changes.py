"""Records each change of a coin's name, symbol and state, with the time it was seen."""

from typing import Any

RECORDED_FIELDS = ("name", "symbol", "state", "successor")
MAX_CHANGES = 200  # the oldest are dropped first

Document = dict[str, Any]


def change_pipeline(fields: Document) -> list[Document]:
    """Returns an update that sets `fields` of a coin and adds those that differ to its `changes`.

    MongoDB compares them, so an update that runs twice records a change once. A name or symbol that
    was not known before is not a change. A first state is one: the coin is collected since then.
    """
    entries = [_entry(name, value) for name, value in fields.items() if name in RECORDED_FIELDS]
    known = {"$ifNull": ["$changes", []]}
    return [
        {"$set": {"changes": {"$slice": [{"$concatArrays": [known, *entries]}, -MAX_CHANGES]}}},
        {"$set": {name: {"$literal": value} for name, value in fields.items()}},
    ]


def _entry(name: str, value: Any) -> Document:
    """Returns a list with the entry of the change, or an empty one."""
    old, new = {"$ifNull": [f"${name}", None]}, {"$literal": value}
    differs: list[Document] = [{"$ne": [old, new]}]
    if name in ("name", "symbol"):
        differs.append({"$ne": [old, None]})
    entry = {"at": "$$NOW", "what": name, "old": old, "new": new}
    return {"$cond": [{"$and": differs}, [entry], []]}
