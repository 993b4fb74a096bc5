"""Show the processes' output as it comes."""

import time
from collections.abc import Sequence

from cli.output import prefix, say
from supervisor.control import Processes
from supervisor.desired_state import read as read_wish
from supervisor.log_files import Tail, last_lines
from supervisor.process_plan import NAMES

PAUSE = 0.2


def show(processes: Processes, names: Sequence[str], count: int) -> None:
    """The last `count` lines of each log."""
    for name in names:
        mark = f"{prefix(name, names)} " if len(names) > 1 else ""
        for line in last_lines(processes.state_dir.log(name), count):
            say(mark + line)


def follow(processes: Processes, *, names: Sequence[str] = NAMES, keep: bool = False) -> None:
    """Each new line of the logs, until everything was wished away.

    `keep` starts the supervisor anew should it die, and ends with the processes.
    """
    tails = {name: Tail(processes.state_dir.log(name)) for name in names}
    while True:
        for name, tail in tails.items():
            mark = f"{prefix(name, names)} " if len(names) > 1 else ""
            for line in tail.lines():
                say(mark + line)
        if keep:
            if read_wish(processes.state_dir).down:
                return
            processes.ensure_supervisor()
        time.sleep(PAUSE)
