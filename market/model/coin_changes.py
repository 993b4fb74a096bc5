"""A coin's record: each change of its name, its symbol and its state, with when it was seen."""

from typing import Any

TOLD = ("name", "symbol", "state", "successor")
MOST = 200  # entries kept; the oldest go first

Document = dict[str, Any]


def change_pipeline(fields: Document) -> list[Document]:
    """An update of a coin that sets `fields`, and enters those that differ in its `changes`.

    MongoDB compares, so that an update that is carried out twice enters a change once. A name or
    symbol that was not known before is no change; a state is: the coin is collected from then on.
    """
    entries = [_entry(name, value) for name, value in fields.items() if name in TOLD]
    known = {"$ifNull": ["$changes", []]}
    return [
        {"$set": {"changes": {"$slice": [{"$concatArrays": [known, *entries]}, -MOST]}}},
        {"$set": {name: {"$literal": value} for name, value in fields.items()}},
    ]


def _entry(name: str, value: Any) -> Document:
    """The list with the change's entry, or an empty one."""
    old, new = {"$ifNull": [f"${name}", None]}, {"$literal": value}
    differs: list[Document] = [{"$ne": [old, new]}]
    if name in ("name", "symbol"):
        differs.append({"$ne": [old, None]})
    entry = {"at": "$$NOW", "what": name, "old": old, "new": new}
    return {"$cond": [{"$and": differs}, [entry], []]}
