"""Beat: each slot's event is sent once and at once, whatever the wall clock does."""

import base64
import json
import os
import pickle
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import redis as redis_client

from bench.harness.services import wait_until
from market.schedule.slots import Schedule
from settings import ROOT, Settings
from tasks import beat_scheduler
from tasks.app import app
from tasks.beat_scheduler import SlotSchedule, SlotScheduler

pytestmark = pytest.mark.system

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
EXPIRES = {
    **{"publish_update": 60, "ensure_slot": 60, "sweep": 5},
    **{"plan": 10, "mend": 5, "tell": 10, "roll_up": 300},
}
LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
EVERY_2_S = "*/2 * * * * *"


class Clock:
    """The wall clock and the monotonic clock, as beat is made to see them."""

    def __init__(self) -> None:
        self.wall = NOON
        self.monotonic = 1000.0

    def pass_by(self, seconds: float) -> None:
        self.wall += timedelta(seconds=seconds)
        self.monotonic += seconds

    def now(self) -> datetime:
        return self.wall

    def timestamp(self) -> float:
        return self.wall.timestamp()


EVERY_SLOT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?Z$")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Replaces the present where beat and Celery ask for it; all else of them is real."""
    made = Clock()

    class Datetime(datetime):
        @classmethod
        def now(cls, tz: object = None) -> Any:
            return made.wall

    monkeypatch.setattr(beat_scheduler, "datetime", Datetime)
    monkeypatch.setattr(
        beat_scheduler,
        "time",
        SimpleNamespace(time=made.timestamp, monotonic=lambda: made.monotonic),
    )
    monkeypatch.setattr(app, "now", made.now)
    return made


def sent(redis: str) -> list[tuple[str, datetime]]:
    """Each task in the queue with the time at which it was sent, oldest first."""
    with redis_client.Redis.from_url(redis) as client:
        messages = [json.loads(message) for message in client.lrange("maintenance", 0, -1)]
    found = []
    for message in reversed(messages):
        headers = message["headers"]
        name = headers["task"].rpartition(".")[2]
        if name == "publish_update":
            arguments = json.loads(base64.b64decode(message["body"]))[1]
            assert arguments.pop("scheduled") is True
            assert EVERY_SLOT.match(arguments.pop("slot"))
            assert not arguments
        seconds = EXPIRES[name]
        found.append(
            (name, datetime.fromisoformat(headers["expires"]) - timedelta(seconds=seconds))
        )
    return found


def published(redis: str) -> int:
    return [name for name, _ in sent(redis)].count("publish_update")


@pytest.fixture
def scheduler(environment: None, redis: str, clock: Clock) -> Iterator[SlotScheduler]:
    """Beat's own scheduler with the app's own schedule, but for a slot every 2 s."""
    with closing(SlotScheduler(app=app, lazy=True)) as made:
        made.setup_schedule()
        made.schedule["publish-update"].schedule = SlotSchedule(Schedule(EVERY_2_S))
        yield made


def tick(scheduler: SlotScheduler) -> None:
    """One awakening of beat: it goes on until nothing is due."""
    while scheduler.tick() == 0:
        pass


@pytest.mark.parametrize(
    ("expression", "step", "minutes", "slots"),
    [("*/15 * * * *", 20, 180, 13), (EVERY_2_S, 0.25, 3, 91)],
)
def test_a_slot_is_due_once(
    clock: Clock, expression: str, step: float, minutes: int, slots: int
) -> None:
    schedule = SlotSchedule(Schedule(expression))
    last_run_at, due = LONG_AGO, []
    end = NOON + timedelta(minutes=minutes, seconds=step)
    while clock.wall < end:
        state = schedule.is_due(last_run_at)
        assert 0 < state.next <= minutes * 60 / (slots - 1)
        if state.is_due:
            last_run_at = clock.wall
            due.append(schedule.slots.current(clock.wall))
        clock.pass_by(step)
    assert len(due) == len(set(due)) == slots


def test_the_time_to_the_next_slot_is_told(clock: Clock) -> None:
    schedule = SlotSchedule(Schedule("*/15 * * * *"))
    clock.pass_by(60)
    assert schedule.is_due(NOON) == (False, 14 * 60)
    assert schedule.remaining_estimate(NOON) == timedelta(minutes=14)


def test_a_last_run_that_lies_in_a_later_slot_is_no_reason_to_wait(clock: Clock) -> None:
    assert SlotSchedule(Schedule("*/15 * * * *")).is_due(NOON + timedelta(hours=1)).is_due


def test_schedules_are_compared_and_carried_by_their_expression() -> None:
    one = SlotSchedule(Schedule("*/15 * * * *"))
    assert one == pickle.loads(pickle.dumps(one)) == SlotSchedule(Schedule("*/15 * * * *"))
    assert one != SlotSchedule(Schedule("*/20 * * * *"))
    assert len({one, pickle.loads(pickle.dumps(one))}) == 1


@pytest.mark.row("beat-killed")
def test_the_current_slot_is_sent_at_the_first_tick(scheduler: SlotScheduler, redis: str) -> None:
    tick(scheduler)
    # A beat that is restarted often must come to what is due once a minute, too, and what lost its
    # task while there was no beat must not wait another 5 s.
    names = sorted(name for name, _ in sent(redis))
    assert names == ["ensure_slot", "publish_update", "roll_up", "sweep"]
    tick(scheduler)
    assert published(redis) == 1


def test_each_slot_is_sent_once_and_upkeep_in_its_time(
    scheduler: SlotScheduler, clock: Clock, redis: str
) -> None:
    for _ in range(240):
        tick(scheduler)
        clock.pass_by(0.25)
    names = [name for name, _ in sent(redis)]
    assert {name: names.count(name) for name in names} == {
        "publish_update": 30,
        "sweep": 12,
        "ensure_slot": 1,
        "plan": 5,
        "mend": 11,
        "tell": 5,
        "roll_up": 1,
    }
    tick(scheduler)
    assert [name for name, _ in sent(redis)].count("ensure_slot") == 2


@pytest.mark.parametrize("jump", [-3600, -5, 3600])
@pytest.mark.row("clock-jumped")
def test_slots_go_on_when_the_wall_clock_jumps(
    scheduler: SlotScheduler, clock: Clock, redis: str, jump: int
) -> None:
    # The clocks that beat sees are ours: setting this machine's would need its superuser. The
    # scheduler, Celery's heap and Redis are the real ones.
    for _ in range(12):
        tick(scheduler)
        clock.pass_by(1)
    before = published(redis)
    sweeps = [name for name, _ in sent(redis)].count("sweep")
    clock.wall += timedelta(seconds=jump)
    for _ in range(12):
        tick(scheduler)
        clock.pass_by(1)
    # One more at most: a slot that the jump has cut in two is sent again, as the same event.
    assert 6 <= published(redis) - before <= 7
    assert [name for name, _ in sent(redis)].count("sweep") >= sweeps + 2


def test_a_clock_that_is_adjusted_a_little_starts_nothing_anew(
    scheduler: SlotScheduler, clock: Clock, redis: str
) -> None:
    tick(scheduler)
    clock.pass_by(4)
    clock.wall -= timedelta(seconds=1)
    tick(scheduler)
    names = [name for name, _ in sent(redis)]
    assert (names.count("publish_update"), names.count("ensure_slot")) == (2, 1)


def test_each_tick_leaves_a_sign_of_life(scheduler: SlotScheduler, settings: Settings) -> None:
    file = settings.run_folder / "beat.json"
    tick(scheduler)
    first = json.loads(file.read_text())
    tick(scheduler)
    second = json.loads(file.read_text())
    assert second["at"] > first["at"]


def test_a_sign_of_life_that_cannot_be_left_stops_nothing(
    scheduler: SlotScheduler, settings: Settings, redis: str
) -> None:
    settings.koinx_home.mkdir()
    settings.run_folder.write_text("no folder")
    tick(scheduler)
    assert published(redis) == 1


def test_a_stop_that_got_lost_while_sending_ends_it_at_the_next_tick(
    scheduler: SlotScheduler,
) -> None:
    tick(scheduler)
    scheduler.close()  # as Celery's handler of SIGTERM does, whose SystemExit redis-py may swallow
    with pytest.raises(SystemExit):
        scheduler.tick()


@pytest.mark.row("beat-killed")
def test_a_real_beat_sends_each_slot_s_event_once(
    environment: None, redis: str, settings: Settings, tmp_path: Path
) -> None:
    started = datetime.now(UTC)
    with (
        (tmp_path / "beat.log").open("wb") as log,
        subprocess.Popen(
            [sys.executable, "-m", "celery", "-A", "tasks", "beat"],
            cwd=ROOT,
            env=os.environ | {"CRON_SCHEDULE": EVERY_2_S},
            stdout=log,
            stderr=log,
        ) as process,
    ):
        try:
            wait_until(lambda: published(redis) >= 4, "the events of four slots", 30)
            process.terminate()
            assert process.wait(10) == 0
        finally:
            process.kill()
    slots = Schedule(EVERY_2_S)
    times = [at for name, at in sent(redis) if name == "publish_update"]
    found = [slots.current(at) for at in times]
    assert found == [found[0] + timedelta(seconds=2 * number) for number in range(len(found))]
    assert times[0] - started < timedelta(seconds=10)
    assert all(
        at - slot < timedelta(seconds=1) for at, slot in zip(times[1:], found[1:], strict=True)
    )
    assert json.loads((settings.run_folder / "beat.json").read_text())["at"] > 0
