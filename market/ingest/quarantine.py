"""The quarantine: quotes that were not credible, until the coin's next price settles them.

held -> released | dropped, by a conditional update: of two processes that settle the same quote,
one wins, and the other reads the result. `outlier_filter` decides what is settled, and in what
order.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from pymongo import ASCENDING, UpdateOne
from pymongo.database import Database

from market.model.documents import QuarantinedQuote
from market.model.quotes import Quote
from market.storage.database import insert_new

RETENTION = timedelta(hours=1)  # an update whose worker died is retried within minutes

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class HeldQuote:
    """A quote that was not credible, with the updates that held it and that settled it."""

    quote: Quote
    held_by: str
    doubt: str
    state: str
    settled_by: str | None
    evidence: str | None

    def entry(self, update: str) -> Document | None:
        """Returns its entry in the ledger for an update; None if that update did not change it.

        If an update held and settled it, as a run that died and was repeated does, the entry names
        the settlement.
        """
        if update == self.settled_by:
            state, reason = self.state, self.evidence
        elif update == self.held_by:
            state, reason = "held", self.doubt
        else:
            return None
        quote = {"coin": self.quote.coin, "at": self.quote.at, "price": self.quote.price}
        return quote | {"state": state, "reason": reason}


class Quarantine:
    """The `held` collection of one database: a few documents at most times, or none."""

    def __init__(self, database: Database[Document]) -> None:
        self._held = database[QuarantinedQuote._get_collection_name()]

    def all(self) -> list[HeldQuote]:
        """Returns every quote, including those settled lately; a coin's in order of time."""
        names = ("held_by", "doubt", "state", "settled_by", "evidence")
        return [
            HeldQuote(Quote(**one["quote"]), **{name: one[name] for name in names})
            for one in self._held.find().sort("_id", ASCENDING)
        ]

    def add(self, doubts: Iterable[tuple[Quote, str]], update: str) -> None:
        """Holds quotes, each with its reason; a quote that is there already stays as it is."""
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
        """Releases or drops quotes: (quote, state, reason). A settled one stays as it is."""
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

    def purge(self) -> None:
        """Deletes what was settled more than an hour ago, by MongoDB's clock."""
        age = {"$dateDiff": {"startDate": "$settled_at", "endDate": "$$NOW", "unit": "second"}}
        settled = {"settled_at": {"$type": "date"}}
        self._held.delete_many(settled | {"$expr": {"$gt": [age, RETENTION.total_seconds()]}})
