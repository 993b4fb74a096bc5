"""What the command line and the dashboard wish for, as the supervisor reads it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from supervisor.state_dir import STATE_FILE, Folder

FILE = "wish.json"
LOCK = "wish.lock"


@dataclass(frozen=True)
class Wish:
    """Which processes should run, with which settings.

    `asked` counts, for each process, how often somebody asked for it: a process that was given up
    is tried again when it grows. `restarts` counts the asked-for restarts, `rounds` the `up`s
    and starts, and `serial` the wishes, so that a state can name the wish it answers.
    """

    serial: int = 0
    rounds: int = 0
    down: bool = False
    settings: dict[str, str] = field(default_factory=dict)
    wanted: tuple[str, ...] = ()
    asked: dict[str, int] = field(default_factory=dict)
    restarts: dict[str, int] = field(default_factory=dict)

    def up(self, names: list[str], settings: dict[str, str]) -> "Wish":
        """All of `names`, and nothing else, with these settings."""
        return replace(
            self._asking(names),
            rounds=self.rounds + 1,
            down=False,
            settings=settings,
            wanted=tuple(names),
        )

    def start(self, names: list[str]) -> "Wish":
        """`names` as well."""
        wanted = (*self.wanted, *(name for name in names if name not in self.wanted))
        # A round, so that what must be prepared is: a restore may have been interrupted meanwhile.
        return replace(self._asking(names), rounds=self.rounds + 1, down=False, wanted=wanted)

    def restart(self, name: str) -> "Wish":
        """`name` ended once, then started."""
        restarts = self.restarts | {name: self.restarts.get(name, 0) + 1}
        return replace(self.start([name]), restarts=restarts)

    def stop(self, name: str) -> "Wish":
        """All but `name`."""
        return replace(self, wanted=tuple(other for other in self.wanted if other != name))

    def stop_all(self) -> "Wish":
        """Nothing at all, and no supervisor either."""
        return replace(self, down=True, wanted=())

    def _asking(self, names: list[str]) -> "Wish":
        return replace(self, asked=self.asked | {n: self.asked.get(n, 0) + 1 for n in names})


def read(folder: Folder) -> Wish:
    """The wish in force; with serial 0 where there is none, or its file is damaged."""
    record = folder.read(FILE)
    known: dict[str, Any] = {k: v for k, v in record.items() if k in Wish.__dataclass_fields__}
    return Wish(**known | {"wanted": tuple(known.get("wanted", ()))})


@contextmanager
def changing(folder: Folder) -> Iterator["Change"]:
    """Read the wish, change it inside the block, write it: nobody else comes between."""
    with folder.locked(LOCK, wait=5) as held:
        if not held:
            raise TimeoutError(f"{folder.run / LOCK} is held by another process for over 5 s")
        change = Change(read(folder))
        yield change
        # A wish that was damaged and begins anew must not have a serial that was answered already.
        answered = int(folder.read(STATE_FILE).get("serial", 0))
        change.wish = replace(change.wish, serial=max(change.wish.serial, answered) + 1)
        folder.write(FILE, asdict(change.wish))


@dataclass
class Change:
    """Holds the wish while it is changed."""

    wish: Wish
