"""Held ticks: quotes that were not credible, from their entry until they are settled.

held -> released | dropped, by a conditional update: of two processes that settle the same tick,
one wins, and the other reads what became of it. `outlier_filter` says which, and in what order.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from pymongo import ASCENDING, UpdateOne
from pymongo.collection import Collection
from pymongo.database import Database

from market.model.documents import QuarantinedQuote
from market.model.quotes import Quote
from market.storage.database import insert_new

KEPT = timedelta(hours=1)  # an update whose worker died is carried out again within minutes

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Tick:
    """A quote that was not credible; two updates: that held it, that released or dropped it."""

    quote: Quote
    held_by: str
    doubt: str
    state: str
    settled_by: str | None
    evidence: str | None

    def entry(self, update: str) -> Document | None:
        """What an update's entry in the ledger says of it; None if that update did nothing to it.

        Of a tick that one update held and settled, as one that died and was repeated does, it says
        the end.
        """
        if update == self.settled_by:
            state, reason = self.state, self.evidence
        elif update == self.held_by:
            state, reason = "held", self.doubt
        else:
            return None
        quote = self.quote
        known = {"coin": quote.coin, "at": quote.at, "price": quote.price}
        return known | {"state": state, "reason": reason}


class Held:
    """The `held` collection of one database: a few documents at most times, or none."""

    def __init__(self, database: Database[Document]) -> None:
        self._held: Collection[Document] = database[QuarantinedQuote._get_collection_name()]

    def all(self) -> list[Tick]:
        """Every tick, those that were settled lately too; a coin's in order of time."""
        return [_tick(document) for document in self._held.find().sort("_id", ASCENDING)]

    def enter(self, doubts: Iterable[tuple[Quote, str]], update: str) -> None:
        """Holds quotes, each with its reason; one that is there already stays as it is."""
        documents = [
            {
                "_id": {"coin": quote.coin, "at": quote.at},
                "quote": quote._asdict(),
                "held_by": update,
                "doubt": doubt,
                "state": "held",
                "settled_by": None,
                "settled_at": None,
                "evidence": None,
            }
            for quote, doubt in doubts
        ]
        insert_new(self._held, documents)

    def settle(self, verdicts: Iterable[tuple[Quote, str, str]], update: str) -> None:
        """Releases or drops ticks: (quote, state, reason). One that is settled stays so."""
        changes = [
            UpdateOne(
                {"_id": {"coin": quote.coin, "at": quote.at}, "state": "held"},
                [
                    {
                        "$set": {
                            "state": state,
                            "evidence": {"$literal": evidence},
                            "settled_by": {"$literal": update},
                            "settled_at": "$$NOW",
                        }
                    }
                ],
            )
            for quote, state, evidence in verdicts
        ]
        if changes:
            self._held.bulk_write(changes, ordered=False)

    def forget(self) -> None:
        """Removes what was settled more than an hour ago, by MongoDB's clock."""
        age = {"$dateDiff": {"startDate": "$settled_at", "endDate": "$$NOW", "unit": "second"}}
        settled = {"settled_at": {"$type": "date"}}
        self._held.delete_many(settled | {"$expr": {"$gt": [age, KEPT.total_seconds()]}})


def _tick(document: Document) -> Tick:
    return Tick(
        quote=Quote(**document["quote"]),
        **{
            name: document[name] for name in ("held_by", "doubt", "state", "settled_by", "evidence")
        },
    )
