"""Shows the processes' logs, and follows them."""

import time
from collections.abc import Iterable, Sequence

from cli.output import prefix, print_line
from supervisor import desired_state
from supervisor.control import Processes
from supervisor.log_files import Tail, last_lines
from supervisor.process_plan import NAMES

POLL_INTERVAL = 0.2


def show(processes: Processes, names: Sequence[str], count: int) -> None:
    """Prints the last `count` lines of each log."""
    for name in names:
        _print(name, names, last_lines(processes.state_dir.log(name), count))


def follow(processes: Processes, *, names: Sequence[str] = NAMES, keep: bool = False) -> None:
    """Prints each new line of the logs.

    `keep` restarts a supervisor that died, and returns once `./koinx down` was requested.
    """
    tails = {name: Tail(processes.state_dir.log(name)) for name in names}
    while True:
        for name, tail in tails.items():
            _print(name, names, tail.lines())
        if keep:
            if desired_state.read(processes.state_dir).down:
                return
            processes.ensure_supervisor()
        time.sleep(POLL_INTERVAL)


def _print(name: str, names: Sequence[str], lines: Iterable[str]) -> None:
    mark = f"{prefix(name, names)} " if len(names) > 1 else ""
    for line in lines:
        print_line(mark + line)
