"""Which answer of the simulator was served to which update."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

CADENCE = timedelta(seconds=1)  # a simulated row stands so long, but for coins that lag
ROUNDING = timedelta(milliseconds=5)  # MongoDB's clock and the simulator's both cut milliseconds

Key = tuple[str, datetime]
Document = Mapping[str, Any]


@dataclass(frozen=True)
class Row:
    """One row that the simulator served."""

    coin: str
    at: datetime
    price: float

    @property
    def key(self) -> Key:
        """What the row's quote is stored under."""
        return self.coin, self.at

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> "Row":
        """A row of `/simulator/served`."""
        return cls(record["id"], datetime.fromisoformat(record["last_updated"]), record["price"])


@dataclass(frozen=True)
class Answer:
    """The rows of one answer."""

    rows: tuple[Row, ...]

    @property
    def newest(self) -> datetime:
        """The newest row's time: the answer was served then, or less than a cadence later."""
        return max(row.at for row in self.rows)

    def within(self, update: Document) -> bool:
        """Whether it can have been served between this update's last claim and its `fetched`."""
        claimed, fetched = update["hops"]["claimed"], update["hops"]["fetched"]
        return bool(
            self.newest <= fetched + ROUNDING and claimed <= self.newest + CADENCE + ROUNDING
        )


def split(rows: Iterable[Row]) -> list[Answer]:
    """The served log as answers: each is logged in one piece, and names a coin once."""
    answers: list[Answer] = []
    current: list[Row] = []
    named: set[str] = set()
    for row in rows:
        if row.coin in named:
            answers.append(Answer(tuple(current)))
            current, named = [], set()
        current.append(row)
        named.add(row.coin)
    return [*answers, Answer(tuple(current))] if current else answers


def match(edges: Mapping[str, Sequence[int]]) -> dict[str, int]:
    """A greatest matching: for as many updates as can be, an answer that is no other's.

    `edges` names the answers that each update may have had.
    """
    taken: dict[int, str] = {}

    def place(update: str, seen: set[int]) -> bool:
        for answer in edges[update]:
            if answer in seen:
                continue
            seen.add(answer)
            if answer not in taken or place(taken[answer], seen):
                taken[answer] = update
                return True
        return False

    for update in edges:
        place(update, set())
    return {update: answer for answer, update in taken.items()}


def by_fetched(quotes: Iterable[Document]) -> dict[datetime, set[Key]]:
    """The keys of quotes by `recorded_at`, which is their run's `fetched`."""
    found: dict[datetime, set[Key]] = defaultdict(set)
    for quote in quotes:
        found[quote["recorded_at"]].add((quote["_id"]["coin"], quote["_id"]["at"]))
    return found
