"""The desired state: what the command line and the dashboard ask the supervisor to run."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from supervisor.state_dir import STATE_FILE, StateDir

FILE = "wish.json"
LOCK = "wish.lock"


@dataclass(frozen=True)
class DesiredState:
    """Which processes should run, with which settings.

    `asked` counts the requests for each process: when it grows, a process that the supervisor gave
    up is tried again. `restarts` counts the requested restarts, `rounds` the `up`s and starts, and
    `serial` all changes, so that a published state can name the request that it answers.
    """

    serial: int = 0
    rounds: int = 0
    down: bool = False
    settings: dict[str, str] = field(default_factory=dict)
    wanted: tuple[str, ...] = ()
    asked: dict[str, int] = field(default_factory=dict)
    restarts: dict[str, int] = field(default_factory=dict)

    def up(self, names: list[str], settings: dict[str, str]) -> "DesiredState":
        """Runs exactly `names`, with these settings."""
        return replace(self.start(names), settings=settings, wanted=tuple(names))

    def start(self, names: list[str]) -> "DesiredState":
        """Runs `names` as well."""
        wanted = (*self.wanted, *(name for name in names if name not in self.wanted))
        asked = self.asked | {name: self.asked.get(name, 0) + 1 for name in names}
        # A new round runs `prepare` again: a restore may have been interrupted in the meantime.
        return replace(self, asked=asked, rounds=self.rounds + 1, down=False, wanted=wanted)

    def restart(self, name: str) -> "DesiredState":
        """Stops `name` once, then runs it."""
        restarts = self.restarts | {name: self.restarts.get(name, 0) + 1}
        return replace(self.start([name]), restarts=restarts)

    def stop(self, name: str) -> "DesiredState":
        """Stops `name`."""
        return replace(self, wanted=tuple(other for other in self.wanted if other != name))

    def stop_all(self) -> "DesiredState":
        """Stops every process, then the supervisor."""
        return replace(self, down=True, wanted=())


def read(state_dir: StateDir) -> DesiredState:
    """Reads the desired state; its serial is 0 if the file is missing or damaged."""
    record = state_dir.read(FILE)
    known: dict[str, Any] = {
        name: value for name, value in record.items() if name in DesiredState.__dataclass_fields__
    }
    return DesiredState(**known | {"wanted": tuple(known.get("wanted", ()))})


def update(state_dir: StateDir, change: Callable[[DesiredState], DesiredState]) -> int:
    """Changes the desired state under a lock; returns the new serial."""
    with state_dir.locked(LOCK, wait=5) as locked:
        if not locked:
            path = state_dir.run / LOCK
            raise TimeoutError(f"{path} has been locked by another process for over 5 s")
        changed = change(read(state_dir))
        # After a damaged file the serials start over: they must not repeat one already answered.
        answered = int(state_dir.read(STATE_FILE).get("serial", 0))
        changed = replace(changed, serial=max(changed.serial, answered) + 1)
        state_dir.write(FILE, asdict(changed))
    return changed.serial
