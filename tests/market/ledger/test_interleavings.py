"""Ledger, lease, sweeper, slots and the inbox, in random order, with clocks that jump.

Hypothesis drives workers from one write to the next, and in between delivers events, lets time
pass, sets clocks wrong and kills. The old faults are put back one by one: each must be found.
"""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.errors import Flaky
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from hypothesis.stateful import run_state_machine_as_test as drive
from pymongo.collection import Collection
from pymongo.database import Database

from api.events.update_consumer import UpdateConsumer
from bench.harness.services import server
from bridge.consumer import Delivery
from bridge.events import MalformedEvent, UpdateRequested
from market.ingest import run_update
from market.ingest.outlier_filter import OutlierFilter
from market.ledger import ledger
from market.ledger.lease import Lease
from market.ledger.ledger import Ledger, UpdateClaim
from market.schedule.slots import Schedule
from market.sources.http import SourceError
from market.storage import database as market_database
from market.storage.database import Document
from market.storage.quote_store import QuoteStore
from settings import parse_coins
from tasks import ingest, schedule
from tests.harness.interleaving import Worker, pause, worker
from tests.harness.shifted_clock import ShiftedClock

MINUTELY = Schedule("* * * * *")
START = datetime(2026, 12, 1, tzinfo=UTC)
WORKERS = 3
WATCHED = ("quotes", "latest", "coins", "held")
WRITES = ("insert_many", "insert_one", "bulk_write", "update_one", "update_many", "replace_one")
CLOCKED = (
    "market.sources.fetch",
    "market.ledger.ledger",
    "market.ingest.store_quotes",
    "tasks.schedule",
    "api.events.update_consumer",
)
DEMAND = timedelta(seconds=120)


class World:
    """The database, the clocks, and what all runs of one test share."""

    def __init__(self, database: Database[Document], shifted: ShiftedClock) -> None:
        self.database = database
        self.shifted = shifted
        self.moment = START  # the right time
        self._ahead = 0.0
        self.wrong_database = self.wrong_hosts = 0.0
        self.violations: list[str] = []
        self.failures = 0  # of all runs

    def begin(self) -> None:
        """Right clocks, and nothing stored: later than all that was before, 5 s into a minute."""
        later = max(self.moment, self.shown()) + timedelta(minutes=2)
        self.moment = later.replace(second=5, microsecond=0)
        self.violations = []
        self.set(0, 0)
        for name in self.database.list_collection_names():
            if not name.startswith("system."):
                self.database[name].delete_many({})

    def set(self, database: float, hosts: float) -> None:
        """How wrong MongoDB's clock and those of the other processes are, in seconds."""
        self.wrong_database, self.wrong_hosts = database, hosts
        at = self.moment + timedelta(seconds=database)
        if at < self.shown():
            # In the millisecond after a write MongoDB waits for a time of its wall clock: set back
            # just then, it would acknowledge nothing before that time comes again.
            time.sleep(0.1)
        self._shift(at)

    def wait(self, seconds: float) -> None:
        """Time passes, for everybody."""
        self.moment += timedelta(seconds=seconds)
        self.follow()

    def follow(self) -> None:
        """Brings MongoDB's clock to the moment that it is; it can't do with one that stands still.

        What a step took is time that has passed. All waits are some seconds from all steps, so that
        it makes no difference.
        """
        wrong = timedelta(seconds=self.wrong_database)
        self.moment = max(self.moment, self.shown() - wrong)
        self._shift(self.moment + wrong)

    def shown(self) -> datetime:
        """What MongoDB's clock shows."""
        return datetime.now(UTC) + timedelta(seconds=self._ahead)

    def _shift(self, to: datetime) -> None:
        self._ahead = (to - datetime.now(UTC)).total_seconds()
        self.shifted.set(self._ahead)

    def elapsed(self) -> float:
        return (self.moment - START).total_seconds()

    def now(self) -> datetime:
        """What time it is for a process that is not MongoDB."""
        return self.moment + timedelta(seconds=self.wrong_hosts)

    def watch(self, collection: str) -> None:
        """Notes a write by a worker whose update another has claimed since."""
        this = worker()
        if this is None or this.update is None or collection not in WATCHED:
            return
        found = self.database["updates"].find_one({"_id": this.update}, {"fence": 1})
        if found and found["fence"] != this.fence:
            self.violations.append(f"{collection} written with fence {this.fence} of {found}")


class FakeSource:
    """Two coins that move with each answer, unless a wait is asked for."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.wait: float | None = None
        self._price = 100.0

    def markets(self, currency: str, **_: Any) -> list[Any]:
        pause()
        if self.wait is not None:
            raise SourceError("429", retry_after=self.wait)
        self._price += 0.01
        # The source's own clock is right, whatever ours say.
        return [
            {
                "id": "bitcoin",
                "symbol": "btc",
                "name": "Bitcoin",
                "current_price": self._price,
                "last_updated": self._world.moment.isoformat(),
            }
        ]


class AtOnce:
    """Carries out at once, in the same thread, what is handed in: else runs would differ."""

    def __init__(self, *_: object, **__: object) -> None:
        pass

    def __enter__(self) -> "AtOnce":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def submit(self, work: Callable[[], Any]) -> "Future[Any]":
        done: Future[Any] = Future()
        done.set_result(work())
        return done


class Machine(RuleBasedStateMachine):
    """One run. `world` is set by the test. Which rules there are, depends on nothing: the same
    choices are the same run, however long each step takes."""

    world: World

    def __init__(self) -> None:
        super().__init__()
        world = self.world
        world.begin()
        self.source = FakeSource(world)
        self.ledger = Ledger(world.database)
        self.stream: list[str] = []
        self.known_ids: set[str] = set()
        self.tasks: list[str] = []
        self.workers: list[Worker] = []
        self.seen_missed: set[str] = set()
        self.demands = 0
        self.on = SimpleNamespace(
            database=world.database,
            ledger=self.ledger,
            store=QuoteStore(world.database),
            outlier_filter=OutlierFilter(world.database),
            source=self.source,
            schedule=MINUTELY,
            settings=SimpleNamespace(
                selection=parse_coins("bitcoin,gone"),
                currency="usd",
                source="fake",
                database="koinx_demo_usd",
                server=lambda name: name,
            ),
            max_pages=10,
            room=SimpleNamespace(shortage=lambda: None),
            fallback=None,
            nats=None,
        )
        self.inbox = UpdateConsumer(self.on)  # type: ignore[arg-type]
        self._patches = ExitStack()
        self._patches.enter_context(_patched(self))

    # What the processes do

    @rule()
    def beat(self) -> None:
        slot = MINUTELY.name(MINUTELY.current(self.world.now()))
        schedule.publish_update.run(scheduled=True, slot=slot)

    @rule(seconds=st.sampled_from([2, 4]))
    def a_client_names_the_next_slot_early(self, seconds: float) -> None:
        now = self.ledger.now()
        coming = MINUTELY.following(now)
        self.world.wait(max((coming - now).total_seconds() - seconds, 0))
        self.publish(MINUTELY.name(coming))

    @rule()
    def somebody_asks_for_an_update(self) -> None:
        self.demands += 1
        self.publish(f"request-{self.demands}")

    @rule(again=st.booleans())
    def deliver(self, again: bool) -> None:
        if not self.stream:
            return
        name = self.stream[0] if again else self.stream.pop(0)
        delivery = Delivery(UpdateRequested(name), 1, self.world.now())
        try:
            if self.inbox.take(delivery) is not None:
                self.tasks.append(name)
        except MalformedEvent:
            if again:
                self.stream.pop(0)

    @rule()
    def a_worker_takes_a_task(self) -> None:
        if not self.tasks or len(self.workers) == WORKERS:
            return
        self.workers.append(Worker(partial(ingest.ingest.run, self.tasks.pop(0))))
        self.go_on(len(self.workers) - 1)

    @rule(which=st.integers(0, WORKERS - 1), steps=st.integers(1, 12))
    def a_worker_goes_on(self, which: int, steps: int) -> None:
        for _ in range(steps):
            if self.workers:
                self.go_on(which % len(self.workers))

    @rule(which=st.integers(0, WORKERS - 1))
    def a_worker_is_killed(self, which: int) -> None:
        if self.workers:
            self.workers.pop(which % len(self.workers)).kill()

    @rule()
    def ensure_slot(self) -> None:
        schedule.ensure_slot.run()

    @rule()
    def sweep(self) -> None:
        schedule.sweep.run()

    # What happens to them

    @rule(steps=st.integers(1, 12))
    def a_worker_freezes_and_another_takes_over(self, steps: int) -> None:
        self.somebody_asks_for_an_update()
        name = self.stream.pop()
        self.inbox.take(Delivery(UpdateRequested(name), 1, self.world.now()))
        frozen = Worker(partial(ingest.ingest.run, name))
        for _ in range(steps):
            if not frozen.ended:
                frozen.go_on()
        self.world.wait(20)
        self.round()
        frozen.finish()
        assert frozen.error is None

    @rule()
    def an_event_that_is_early_is_taken_at_once(self) -> None:
        self.a_client_names_the_next_slot_early(seconds=2)
        self.round()

    @rule()
    def the_source_limits_the_calls_of_a_demand(self) -> None:
        self.source.wait = 55
        self.somebody_asks_for_an_update()
        self.round()

    @rule(seconds=st.sampled_from([60.0, 43_200.0]))
    def a_host_whose_clock_is_ahead_does_the_upkeep(self, seconds: float) -> None:
        known = self.world.wrong_hosts
        self.world.set(self.world.wrong_database, seconds)
        self.ensure_slot()
        self.world.set(self.world.wrong_database, known)

    @rule(seconds=st.sampled_from([10.0, 20.0, 50.0, 130.0]))
    def time_passes(self, seconds: float) -> None:
        self.world.wait(seconds)

    @rule(hosts=st.sampled_from([0.0, -2.0, 2.0, 60.0, 43_200.0]))
    def the_hosts_clocks_jump(self, hosts: float) -> None:
        self.world.set(self.world.wrong_database, hosts)

    @rule(seconds=st.sampled_from([0.0, 0.0, 60.0, 3600.0]))
    def all_clocks_jump(self, seconds: float) -> None:
        # MongoDB's clock ends all leases then; until their workers renew them, two may be at work.
        for one in self.workers:
            one.update = None
        self.world.set(seconds, seconds)

    @rule(seconds=st.sampled_from([None, None, 55.0, 115.0]))
    def the_source_asks_to_wait(self, seconds: float | None) -> None:
        self.source.wait = seconds

    # What must hold

    @invariant()
    def time_goes_on(self) -> None:
        self.world.follow()

    @invariant()
    def all_is_well(self) -> None:
        try:
            assert not self.world.violations
            assert [one.error for one in self.workers if one.error] == []
            self.no_slot_is_missed_before_it_is_over()
        except AssertionError:
            self.world.failures += 1
            raise

    def no_slot_is_missed_before_it_is_over(self) -> None:
        missed = self.world.database["updates"].find({"state": "missed"}, {"slot": 1})
        new = {one["_id"]: one["slot"] for one in missed if one["_id"] not in self.seen_missed}
        current = MINUTELY.current(self.ledger.now())
        assert not [name for name, slot in new.items() if slot >= current]
        self.seen_missed |= set(new)

    def teardown(self) -> None:
        try:
            if not self.world.failures:
                self.settle()
        except AssertionError:
            self.world.failures += 1
            raise
        finally:
            for one in self.workers:
                one.kill()
            self._patches.close()

    def settle(self) -> None:
        """Once all clocks are right, and everybody is at work, all that was accepted ends."""
        self.world.set(0, 0)
        for one in self.workers:
            one.finish()
        self.round()
        accepted, end = set(self.open()), self.world.moment + 3 * DEMAND
        while still := accepted.intersection(self.open()):
            assert self.world.moment < end, f"still open: {still}"
            self.world.wait(20)
            self.round()
        self.source.wait = None
        ahead = self.world.database["updates"].find({"slot": {"$gt": self.ledger.now()}})
        slots = {one["slot"] for one in ahead.sort("slot", 1).limit(2)}
        for slot in sorted({MINUTELY.following(self.ledger.now()), *slots}):
            self.world.wait((slot - self.ledger.now()).total_seconds() + 1)
            self.beat()
            for _ in range(4):
                self.round()
                self.world.wait(6)
            update = self.ledger.get(MINUTELY.name(slot))
            assert update is not None
            assert update["state"] == "done", update
            assert update["hops"]["claimed"] - slot < timedelta(minutes=1), update
        assert self.world.violations == []
        numbers = [n for one in self.ledger.newest(limit=5000) for n in one["numbers"]]
        assert len(numbers) == len(set(numbers))

    def round(self) -> None:
        """What goes on every few seconds."""
        self.sweep()
        self.ensure_slot()
        while self.stream:
            self.deliver(again=False)
        self.work()

    def work(self) -> None:
        """Carries out whatever tasks there are."""
        while self.tasks:
            one = Worker(partial(ingest.ingest.run, self.tasks.pop(0)))
            one.finish()
            assert one.error is None

    def open(self) -> list[str]:
        """The updates that are open, but for those whose slot is ahead."""
        which = {
            "state": {"$in": ["received", "running"]},
            "$expr": {"$lte": ["$slot", "$$NOW"]},
        }
        return [one["_id"] for one in self.world.database["updates"].find(which, {"_id": 1})]

    def publish(self, name: str, message_id: str | None = None) -> int:
        """What reaches the stream: an id that it knows does so once."""
        if message_id is None or message_id not in self.known_ids:
            self.stream.append(name)
            self.known_ids |= {message_id} if message_id else set()
        return 1

    def go_on(self, which: int) -> None:
        self.workers[which].go_on()
        if self.workers[which].ended:
            ended = self.workers.pop(which)
            assert ended.error is None, ended.error


@contextmanager
def _patched(machine: Machine) -> Iterator[None]:
    """The seams of one run: clocks, the queue and the stream; a pause before each write."""
    world = machine.world

    class Clock(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return world.now()

    def stream(_: object, event: UpdateRequested, message_id: str | None = None) -> int:
        assert event.id is not None
        return machine.publish(event.id, message_id)

    def start(arguments: tuple[str], **_: object) -> None:
        machine.tasks.append(arguments[0])

    def paused(original: Callable[..., Any]) -> Callable[..., Any]:
        def first_a_pause(*arguments: Any, **named: Any) -> Any:
            pause()
            return original(*arguments, **named)

        return first_a_pause

    def claim(self: Ledger, *arguments: Any) -> UpdateClaim | None:
        made = claims(self, *arguments)
        if made is not None and (this := worker()) is not None:
            this.update, this.fence = made.id, made.fence
        return made

    def watched(write: str) -> Callable[..., Any]:
        original = getattr(Collection, write)

        def first_a_look(self: Collection[Document], *arguments: Any, **named: Any) -> Any:
            world.watch(self.name)
            return original(self, *arguments, **named)

        return first_a_look

    claims = Ledger.claim
    with ExitStack() as stack:
        for module in CLOCKED:
            stack.enter_context(patch(f"{module}.datetime", Clock))
        for module in ("ledger", "claims", "lease"):
            stack.enter_context(patch(f"market.ledger.{module}.elapsed", world.elapsed))
        for write in WRITES:
            stack.enter_context(patch.object(Collection, write, watched(write)))
        for owner, name in ((Lease, "check"), (Ledger, "close"), (Ledger, "postpone")):
            stack.enter_context(patch.object(owner, name, paused(getattr(owner, name))))
        for tasks in (ingest, schedule):
            stack.enter_context(patch.object(tasks, "get_services", lambda: machine.on))
        for name in ("publish_update_finished", "publish_best_effort"):
            stack.enter_context(patch.object(ingest, name, lambda *_: None))
        stack.enter_context(patch.object(schedule, "publish", stream))
        stack.enter_context(patch.object(schedule, "claim", lambda *_: None))
        stack.enter_context(patch.object(ingest.ingest, "apply_async", start))
        stack.enter_context(patch.object(run_update, "ThreadPoolExecutor", AtOnce))
        stack.enter_context(patch.object(Ledger, "claim", claim))
        yield


@pytest.fixture(scope="module")
def stepped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, ShiftedClock]]:
    """A MongoDB of its own, with a clock that is set."""
    folder = tmp_path_factory.mktemp("stepped")
    shifted = ShiftedClock(folder)
    with ExitStack() as life:
        with shifted.inherited():
            url, _ = life.enter_context(server("mongodb", folder / "mongodb"))
        yield url, shifted


@pytest.fixture
def machine(environment: None, stepped: tuple[str, ShiftedClock]) -> Iterator[type[Machine]]:
    url, shifted = stepped
    market_database.disconnect()
    database = market_database.connect(url, "koinx_demo_usd")
    market_database.prepare(database)

    class Ready(Machine):
        world = World(database, shifted)

    yield Ready
    shifted.set(0)
    market_database.disconnect()


def run(machine: type[Machine], examples: int) -> None:
    drive(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=20,
            deadline=None,
            derandomize=True,
            database=None,
            report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.generate],
        ),
    )


@pytest.mark.row("clock-ahead")
@pytest.mark.row("worker-killed")
@pytest.mark.row("on-demand-limited")
def test_whatever_happens_in_whatever_order_all_that_was_accepted_ends_once(
    machine: type[Machine],
) -> None:
    run(machine, 12)


def _slot_ahead_is_closed() -> ExitStack:
    """A slot counts as over as soon as it is not the current one, and is claimed at any time."""

    def give_up(claim: UpdateClaim, known: Schedule) -> object:
        if claim.slot is not None and known.current(claim.now()) != claim.slot:
            return "missed", "over"
        return original(claim, known)

    original = run_update._give_up
    return _with(
        patch.object(ledger, "SLOT_BEGAN", {"$eq": [1, 1]}),
        patch.object(run_update, "_give_up", give_up),
    )


def _each_process_goes_by_its_own_clock() -> ExitStack:
    return _with(patch.object(Ledger, "now", lambda _: vars(ledger)["datetime"].now(UTC)))


def _what_was_missed_stays_missed() -> ExitStack:
    return _with(patch.object(Ledger, "reopen", lambda *_, **__: False))


def _a_demand_waits_for_ever() -> ExitStack:
    return _with(patch.object(run_update, "ON_DEMAND_WAIT", timedelta(days=365)))


def _quotes_are_written_without_a_look_at_the_lease() -> ExitStack:
    def unfenced(self: QuoteStore, check: Callable[[], None]) -> QuoteStore:
        fenced = original(self, check)

        def record(*arguments: Any, **named: Any) -> int:
            pause()
            return QuoteStore(self._database).record(*arguments, **named)

        fenced.record = record  # type: ignore[method-assign]
        return fenced

    original = QuoteStore.under
    return _with(patch.object(QuoteStore, "under", unfenced))


def _with(*patches: Any) -> ExitStack:
    stack = ExitStack()
    for one in patches:
        stack.enter_context(one)
    return stack


@pytest.mark.parametrize(
    "fault",
    [
        _slot_ahead_is_closed,
        _each_process_goes_by_its_own_clock,
        _what_was_missed_stays_missed,
        _a_demand_waits_for_ever,
        _quotes_are_written_without_a_look_at_the_lease,
    ],
)
def test_an_old_fault_is_found_when_it_is_put_back(
    machine: type[Machine], fault: Callable[[], ExitStack]
) -> None:
    # Hypothesis may find that a run ends otherwise when it is repeated: one that failed is enough.
    with fault(), pytest.raises((AssertionError, Flaky)):
        run(machine, 100)
    assert machine.world.failures
