"""Ticks that are held, released and dropped, through whole updates on real MongoDB."""

import json
from collections import Counter
from collections.abc import Callable, Container, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pymongo.database import Database

from bench.harness.services import keep, quote
from market.ingest.outlier_filter import OutlierFilter
from market.ingest.quarantine import Quarantine
from market.ingest.run_update import Outcome, UpdateContext, run_update
from market.ledger.claims import LeaseLost
from market.ledger.lease import Lease
from market.ledger.ledger import Ledger
from market.model.quotes import Quote
from market.schedule.slots import Schedule
from market.sources.coingecko import CoinGecko
from market.sources.fetch import Source
from market.storage.database import Document
from market.storage.quote_history import QuoteHistory
from market.storage.quote_store import QuoteStore
from settings import parse_coins
from simulator.app import create_simulator
from simulator.replay import Replay
from simulator.server import serving
from tests.harness.recordings import COINGECKO

START = datetime(2026, 11, 1, tzinfo=UTC)
PAST = [100.0, 100.5, 101.0, 100.2]

Page = dict[str, tuple[int, float]]  # of a coin: the slot of its row, and its price


def at(slot: int) -> datetime:
    return START + slot * timedelta(minutes=15)


def row(coin: str, moment: datetime, price: float) -> dict[str, Any]:
    return {
        "id": coin,
        "symbol": coin[:3],
        "name": coin.title(),
        "current_price": price,
        "market_cap": price * 1e6,
        "last_updated": moment.isoformat(),
    }


class System:
    """Updates against pages that are written beforehand, one for each time that it is asked."""

    def __init__(self, database: Database[Document], source: Source) -> None:
        self.database = database
        self.ledger = Ledger(database)
        self.store = QuoteStore(database)
        self.outlier_filter = OutlierFilter(database)
        self.source = source

    def update(self, name: str) -> Outcome:
        """Carries out an update, again if need be; it has ended when this returns."""
        self.ledger.receive(name, trigger="event", slot=None, hops={})
        gone = {"$set": {"lease_until": datetime(2026, 1, 1, tzinfo=UTC)}}
        self.database["updates"].update_one({"_id": name, "state": "running"}, gone)
        claim = self.ledger.claim(name, "worker", datetime.now(UTC))
        assert claim is not None
        with Lease(self.ledger, claim) as lease:
            return run_update(
                lease,
                UpdateContext(
                    ledger=self.ledger,
                    store=self.store,
                    outlier_filter=self.outlier_filter,
                    source=self.source,
                    schedule=Schedule("0 0 1 1 *"),
                    selection=parse_coins("top:3"),
                    currency="usd",
                    label="replay",
                ),
            )

    def prices(self, coin: str = "coin") -> list[float]:
        """A coin's stored prices, oldest first."""
        return [one["price"] for one in reversed(self.store.newest(coin))]

    def entry(self, name: str) -> Document:
        found = self.ledger.get(name)
        assert found is not None
        return found

    def ticks(self, name: str) -> list[tuple[float, str]]:
        """What an update's entry says of ticks: price and state."""
        return [(tick["price"], tick["state"]) for tick in self.entry(name)["ticks"]]

    def held(self) -> list[float]:
        """The prices that wait for the next ones."""
        return [
            tick.quote.price for tick in Quarantine(self.database).all() if tick.state == "held"
        ]

    def all_ticks(self) -> Counter[tuple[float, str]]:
        """What all updates say of ticks."""
        names = [update["_id"] for update in self.ledger.newest(limit=100)]
        return Counter(tick for name in names for tick in self.ticks(name))


Make = Callable[..., System]


@pytest.fixture
def system(tmp_path: Path, database: Database[Document]) -> Iterator[Make]:
    """Makes a system that has the first prices, and whose source answers these pages."""
    running: list[Any] = []

    def made(*pages: Page) -> System:
        for number, page in enumerate(pages or [{"coin": (3, PAST[3])}]):
            rows = [row(coin, at(slot), price) for coin, (slot, price) in page.items()]
            (tmp_path / f"markets_{number:03}.json").write_text(json.dumps(rows))
        server = serving(create_simulator(Replay(tmp_path)))
        running.append(server)
        source = CoinGecko(server.__enter__())
        running.append(source)
        found = System(database, source)
        for slot, price in enumerate(PAST):
            keep(found.store, quote("coin", price, at(slot)), quote("other", 7.0, at(slot)))
        return found

    yield made
    for one in reversed(running):
        one.close() if isinstance(one, CoinGecko) else one.__exit__(None, None, None)


def test_a_slip_is_held_named_and_dropped_when_the_price_is_back(system: Make) -> None:
    # Given a slip of one coin beside a usual price of another
    on = system({"coin": (4, 1002.0), "other": (4, 7.1)}, {"coin": (5, 100.4), "other": (5, 7.2)})
    # When
    assert on.update("slip") == Outcome("done", 1)
    # Then it is neither stored nor the latest, and the ledger says why
    assert on.prices() == PAST
    assert on.store.latest().coins["coin"]["price"] == PAST[-1]
    assert on.prices("other")[-1] == 7.1
    slip = on.entry("slip")
    assert slip["ticks"] == [
        {
            "coin": "coin",
            "at": at(4),
            "price": 1002.0,
            "state": "held",
            "reason": "1002 is 10 times 100.2, the price 15 min before; its own moves make "
            "0.5 to 1.5 times credible",
        }
    ]
    numbers = slip["counts"]
    assert (numbers["answered"], numbers["stored"], numbers["unchanged"]) == (2, 1, 0)
    assert (numbers["held"], numbers["released"], numbers["dropped"]) == (1, 0, 0)
    # When the next price is there
    assert on.update("next") == Outcome("done", 2)
    # Then
    assert on.prices() == [*PAST, 100.4]
    assert on.ticks("next") == [(1002.0, "dropped")]
    reason = on.entry("next")["ticks"][0]["reason"]
    assert reason == "the next price, 100.4, is nearer to 100.2 than to it"
    numbers = on.entry("next")["counts"]
    assert (numbers["answered"], numbers["stored"], numbers["unchanged"]) == (2, 2, 0)
    assert (numbers["held"], numbers["released"], numbers["dropped"]) == (0, 0, 1)
    assert on.held() == []


def test_a_crash_is_stored_one_slot_late_with_its_own_time(system: Make) -> None:
    on = system({"coin": (4, 20.0)}, {"coin": (5, 19.0)})
    on.update("crash")
    assert on.held() == [20.0]
    assert on.update("next") == Outcome("done", 2)
    assert on.prices() == [*PAST, 20.0, 19.0]
    fetched = on.entry("next")["hops"]["fetched"]
    released = on.store.newest("coin")[1]
    # What was known before it was released stays what was known.
    assert (released["_id"]["at"], released["recorded_at"]) == (at(4), fetched)
    assert released["market_cap"] == 20.0 * 1e6
    assert on.store.latest().coins["coin"]["price"] == 19.0
    assert (on.ticks("crash"), on.ticks("next")) == ([(20.0, "held")], [(20.0, "released")])
    numbers = on.entry("next")["counts"]
    assert (numbers["answered"], numbers["stored"], numbers["released"]) == (1, 1, 1)
    assert on.held() == []


def test_a_row_that_stands_still_confirms_nothing(system: Make) -> None:
    same = {"coin": (4, 20.0)}
    on = system(same, same, {"coin": (3, PAST[3])}, {"coin": (5, 20.0)})
    on.update("crash")
    for name in ("same", "old"):
        assert on.update(name) == Outcome("done", 0)
        numbers = on.entry(name)["counts"]
        assert (numbers["answered"], numbers["unchanged"], numbers["held"]) == (1, 1, 0)
        assert on.ticks(name) == []
    assert (on.prices(), on.held()) == (PAST, [20.0])
    on.update("next")
    assert on.prices() == [*PAST, 20.0, 20.0]


def test_of_a_fall_in_steps_each_price_waits_for_the_next(system: Make) -> None:
    on = system({"coin": (4, 20.0)}, {"coin": (5, 2.0)}, {"coin": (6, 2.1)})
    on.update("first")
    on.update("second")
    assert on.ticks("second") == [(20.0, "released"), (2.0, "held")]
    assert (on.prices(), on.held()) == ([*PAST, 20.0], [2.0])
    assert on.store.latest().coins["coin"]["price"] == 20.0
    on.update("third")
    assert on.prices() == [*PAST, 20.0, 2.0, 2.1]
    assert on.held() == []


def test_what_is_implausible_anew_is_held_and_the_older_one_dropped(system: Make) -> None:
    on = system({"coin": (4, 1000.0)}, {"coin": (5, 10.0)}, {"coin": (6, 100.0)})
    for name in ("up", "down", "back"):
        on.update(name)
    assert on.ticks("down") == [(1000.0, "dropped"), (10.0, "held")]
    assert on.ticks("back") == [(10.0, "dropped")]
    assert (on.prices(), on.held()) == ([*PAST, 100.0], [])


def test_a_second_source_may_confirm_at_once(system: Make) -> None:
    on = system({"coin": (4, 20.0), "other": (4, 70.0)})
    asked = []

    def second(quotes: Sequence[Quote]) -> Container[str]:
        asked.append([quote.price for quote in quotes])
        return {"coin"}

    on.outlier_filter = OutlierFilter(on.database, second)
    on.update("crash")
    assert asked == [[20.0, 70.0]]
    assert on.prices() == [*PAST, 20.0]
    assert on.ticks("crash") == [(70.0, "held")]


def test_a_usual_update_reads_no_history_and_writes_nothing(
    system: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    on = system({"coin": (4, 149.0), "new": (4, 5.0)})
    for owner, name in (
        (QuoteHistory, "records"),
        (Quarantine, "add"),
        (Quarantine, "settle"),
        (Quarantine, "purge"),
    ):
        monkeypatch.setattr(owner, name, None)
    assert on.update("usual") == Outcome("done", 2)


def test_without_the_lease_nothing_is_held(system: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    on = system()
    on.ledger.receive("late", trigger="event", slot=None, hops={})
    claim = on.ledger.claim("late", "worker", datetime.now(UTC))
    assert claim is not None
    monkeypatch.setattr(Ledger, "lease_seconds", 0)
    lease = Lease(on.ledger, claim)
    with pytest.raises(LeaseLost):
        on.outlier_filter.under(lease.check).apply(
            "late", [quote("coin", 9e9, at(4))], on.store.latest()
        )
    assert on.held() == []


def test_the_collapse_of_terra_luna_is_stored_whole(
    tmp_path: Path, database: Database[Document]
) -> None:
    (path,) = COINGECKO.glob("market_chart_terra-luna_*.json")
    chart = [
        (datetime.fromtimestamp(milliseconds / 1000, UTC), price)
        for milliseconds, price in json.loads(path.read_bytes())["prices"]
    ]
    first, last = datetime(2022, 4, 20, tzinfo=UTC), datetime(2022, 5, 31, tzinfo=UTC)
    window = [(moment, price) for moment, price in chart if first <= moment < last]
    for number, (moment, price) in enumerate(window):
        page = json.dumps([row("terra-luna", moment, price)])
        (tmp_path / f"markets_{number:03}.json").write_text(page)
    with serving(create_simulator(Replay(tmp_path))) as url:
        source = CoinGecko(url)
        on = System(database, source)
        for number in range(len(window)):
            assert on.update(f"day {number}").state == "done"
        source.close()
    assert len(window) == 41
    assert on.prices("terra-luna") == [price for _, price in window]
    held = {price for price, state in on.all_ticks() if state == "held"}
    assert {price for price, state in on.all_ticks() if state == "released"} == held
    worst = {price for moment, price in window if moment.month == 5 and moment.day in (12, 13)}
    assert worst <= held


def test_ticks_are_kept_for_an_hour_after_they_are_settled(system: Make) -> None:
    on = system({"coin": (4, 20.0)}, {"coin": (5, 99.0)}, {"other": (6, 70.0)})
    on.update("slip")
    on.update("next")
    for minutes, number in ((59, 1), (61, 0)):
        settled = {"$set": {"settled_at": datetime.now(UTC) - timedelta(minutes=minutes)}}
        on.database["held"].update_many({"settled_at": {"$ne": None}}, settled)
        on.update(f"after {minutes} min")
        assert on.database["held"].count_documents({"state": "dropped"}) == number
    # What still waits is never removed
    assert on.held() == [70.0]


STEPS = [
    *(
        (Quarantine, "add"),
        (Quarantine, "settle"),
        (QuoteStore, "record"),
        (QuoteStore, "describe"),
    ),
    *((QuoteStore, "merge_latest"), (Ledger, "close"), (Quarantine, "purge")),
]
steps = pytest.mark.parametrize(("owner", "step"), STEPS, ids=[step for _, step in STEPS])
# Before each step; and after the first call of the one that is called twice.
DEATHS = [(owner, step, "before") for owner, step in STEPS] + [(QuoteStore, "record", "after")]
deaths = pytest.mark.parametrize(
    ("owner", "step", "when"), DEATHS, ids=[f"{when} {step}" for _, step, when in DEATHS]
)


def dies(on: System, name: str, owner: type, step: str, when: str) -> None:
    """Begins an update whose worker is killed before or after a step; repeats it if it is open."""
    done = getattr(owner, step)

    def killed(*given: Any, **named: Any) -> None:
        if when == "after":
            done(*given, **named)
        raise RuntimeError("killed")

    with pytest.MonkeyPatch.context() as patch, pytest.raises(RuntimeError, match="killed"):
        patch.setattr(owner, step, killed)
        on.update(name)
    if on.entry(name)["state"] == "running":
        assert on.update(name).state == "done"


@deaths
@pytest.mark.parametrize("moves_on", [False, True], ids=["same row", "next row"])
def test_wherever_a_worker_dies_settling_nothing_is_lost_doubled_or_unnamed(
    system: Make, owner: type, step: str, when: str, moves_on: bool
) -> None:
    # Given a crash of one coin beside a slip of the other, and a worker that dies settling them
    second: Page = {"coin": (5, 19.0), "other": (5, 7.0)}
    on = system(
        {"coin": (4, 20.0), "other": (4, 700.0)},
        second,
        {"coin": (6, 18.0), "other": (6, 7.0)} if moves_on else second,
        {"coin": (7, 17.0), "other": (7, 7.0)},
    )
    on.update("first")
    dies(on, "second", owner, step, when)
    on.update("third")
    on.update("fourth")
    # Then every price of an answered update is there once, and the slip is not
    stored_19 = not moves_on or (step, when) not in {
        *(("add", "before"), ("settle", "before"), ("record", "before"), ("record", "after")),
    }
    assert on.prices() == [*PAST, 20.0, *[19.0] * stored_19, *[18.0] * moves_on, 17.0]
    assert set(on.prices("other")) == {7.0}
    assert on.store.latest().coins["coin"]["price"] == 17.0
    # ... the ledger names each tick once for each thing that was done to it
    assert on.all_ticks() == {
        (20.0, "held"): 1,
        (700.0, "held"): 1,
        (20.0, "released"): 1,
        (700.0, "dropped"): 1,
    }
    assert on.held() == []


@deaths
def test_a_worker_that_dies_holding_a_tick_has_held_it_once(
    system: Make, owner: type, step: str, when: str
) -> None:
    crash: Page = {"coin": (4, 20.0)}
    on = system(crash, crash, {"coin": (5, 19.0)})
    dies(on, "crash", owner, step, when)
    assert (on.prices(), on.held()) == (PAST, [20.0])
    numbers = on.entry("crash")["counts"]
    assert (numbers["answered"], numbers["held"], numbers["unchanged"]) == (1, 1, 0)
    on.update("next")
    on.update("last")
    assert on.prices() == [*PAST, 20.0, 19.0]
    assert on.all_ticks() == {(20.0, "held"): 1, (20.0, "released"): 1}


def test_a_run_that_dies_and_reads_on_says_how_its_tick_ended(system: Make) -> None:
    # Given a run that holds a tick and dies, and reads the next price when it is repeated
    on = system({"coin": (4, 20.0)}, {"coin": (5, 19.0)})
    dies(on, "one", Ledger, "close", "before")
    # Then
    assert on.prices() == [*PAST, 20.0, 19.0]
    assert on.ticks("one") == [(20.0, "released")]
    numbers = on.entry("one")["counts"]
    assert (numbers["answered"], numbers["stored"], numbers["unchanged"]) == (1, 1, 0)
    assert (numbers["held"], numbers["released"]) == (0, 1)


def test_what_a_dead_run_released_is_stored_by_whoever_comes_next(system: Make) -> None:
    # Given a run that has said that a tick is released, and is never repeated
    on = system({"coin": (4, 20.0)}, {"coin": (5, 19.0)}, {"other": (6, 7.0)})
    on.update("first")
    with pytest.MonkeyPatch.context() as patch, pytest.raises(TypeError):
        patch.setattr(QuoteStore, "record", None)
        on.update("dead")
    assert on.prices() == PAST
    # Then even an update that knows nothing of the coin stores it
    on.update("another")
    assert on.prices() == [*PAST, 20.0]
    assert on.store.latest().coins["coin"]["price"] == 20.0
    assert on.ticks("another") == []


def freezes(on: System, name: str, owner: type, step: str, meanwhile: str) -> None:
    """Carries out an update that is frozen before a step, and another one meanwhile."""
    done = getattr(owner, step)
    frozen: list[str] = []

    def thawed(*given: Any, **named: Any) -> Any:
        if not frozen:
            frozen.append(name)
            on.update(meanwhile)
        return done(*given, **named)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(owner, step, thawed)
        on.update(name)


@steps
def test_two_that_release_at_once_lose_and_double_nothing(
    system: Make, owner: type, step: str
) -> None:
    on = system(*({"coin": (4 + n, 20.0 - n)} for n in range(4)))
    on.update("first")
    freezes(on, "frozen", owner, step, "meanwhile")
    on.update("last")
    assert on.prices() == [*PAST, 20.0, 19.0, 18.0, 17.0]
    assert on.all_ticks() == {(20.0, "held"): 1, (20.0, "released"): 1}
    assert (on.store.latest().coins["coin"]["price"], on.held()) == (17.0, [])


@steps
def test_one_that_releases_while_another_drops_says_one_thing(
    system: Make, owner: type, step: str
) -> None:
    on = system({"coin": (4, 20.0)}, {"coin": (5, 19.0)}, {"coin": (6, 99.0)}, {"coin": (7, 98.0)})
    on.update("first")
    freezes(on, "frozen", owner, step, "meanwhile")
    for name in ("last", "after"):
        on.update(name)
    said = on.all_ticks()
    assert said.pop((20.0, "held")) == 1
    ends = [state for price, state in said.elements() if price == 20.0]
    assert ends == (["released"] if 20.0 in on.prices() else ["dropped"])
    assert on.prices()[-2:] == [99.0, 98.0]
    assert len(set(on.prices())) == len(on.prices())


@pytest.mark.parametrize("owner_step", STEPS[:3], ids=["add", "settle", "record"])
@pytest.mark.parametrize("back", [False, True])
def test_two_that_hold_at_once_lose_and_double_nothing(
    system: Make, owner_step: tuple[type, str], back: bool
) -> None:
    # Given a worker that freezes as it holds 20, while another reads a price near it, or usual
    later = [99.0, 98.0] if back else [19.0, 18.0]
    on = system({"coin": (4, 20.0)}, *({"coin": (5 + n, price)} for n, price in enumerate(later)))
    freezes(on, "frozen", *owner_step, "meanwhile")
    on.update("last")
    on.update("after")
    if back:
        assert on.prices() == [*PAST, *later]
        assert on.all_ticks() == {(20.0, "held"): 1, (20.0, "dropped"): 1}
    else:
        assert on.prices() == [*PAST, 20.0, *later]
    assert on.held() == []


def test_a_tick_that_two_read_at_once_is_held_once(system: Make) -> None:
    crash: Page = {"coin": (4, 20.0)}
    on = system(crash, crash, {"coin": (5, 19.0)})
    freezes(on, "frozen", Quarantine, "add", "meanwhile")
    assert on.all_ticks() == {(20.0, "held"): 1}
    assert [on.entry(name)["counts"]["held"] for name in ("frozen", "meanwhile")] == [0, 1]
    on.update("next")
    assert on.prices() == [*PAST, 20.0, 19.0]
