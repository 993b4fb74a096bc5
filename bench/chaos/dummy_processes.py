"""The small processes that `supervisor_cycles` starts and ends, and the supervisor they have.

`python -m bench.chaos.dummy_processes HOME` supervises them. It kills itself between the start of
a process and the note of its pid whenever the file `run/die` is there.
"""

import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

from settings import Settings
from supervisor.health_checks import Probe
from supervisor.process_spec import ProcessSpec
from supervisor.state_dir import STATE_FILE, StateDir
from supervisor.supervisor import supervise

DEATH = "die"
KINDS = ("plain", "deaf", "parent", "brief", "struck")
"""Ready and ends when asked; ignores SIGTERM; has two children, one of them deaf; ends at once; is
killed from outside."""
PATIENCE = 0.2

SLEEPS = "import time; time.sleep(3600)"
DEAF = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)"
BEATS = """
import sys, time
while True:
    with open(sys.argv[1], "w") as file:
        file.write(str(time.monotonic_ns()))
    time.sleep(0.05)
"""
PARENT = f"""
import subprocess, sys
for code in ({SLEEPS!r}, {DEAF!r} + "; " + {SLEEPS!r}):
    subprocess.Popen([sys.executable, "-I", "-S", "-c", code])
{SLEEPS}
"""
PROGRAMS = {
    "plain": BEATS,
    "deaf": f"{DEAF}; {SLEEPS}",
    "parent": PARENT,
    "brief": "raise SystemExit(3)",
    "struck": SLEEPS,
}


def spec(folder: StateDir, kind: str) -> ProcessSpec:
    """How one of KINDS is started."""
    beats = str(folder.run / f"{kind}.beats")
    return ProcessSpec(
        name=kind,
        # The last words tell them apart, and from those of another home.
        command=(sys.executable, "-I", "-S", "-c", PROGRAMS[kind], beats),
        probe=Probe("heartbeat", beats, interval=0.1) if kind == "plain" else None,
        stop_timeout=PATIENCE,
    )


class MortalFolder(StateDir):
    """Kills whoever writes the first note of a new pid, if `run/die` is there."""

    def write(self, name: str, value: dict[str, Any]) -> None:
        """As a StateDir does, unless it is time to die."""
        if name == STATE_FILE and _pids(value) - _pids(self.read(STATE_FILE)):
            try:
                (self.run / DEATH).unlink()
            except FileNotFoundError:
                pass
            else:
                os.kill(os.getpid(), signal.SIGKILL)
        super().write(name, value)


def _pids(state: dict[str, Any]) -> set[int]:
    return {one["pid"] for one in state.get("processes", []) if one["pid"]}


def main() -> int:
    """Supervises the small processes of the home that the command line names."""
    folder = MortalFolder(Path(sys.argv[1]))

    def plan(_settings: Settings, _port: object, _secret: object) -> dict[str, ProcessSpec]:
        return {kind: spec(folder, kind) for kind in KINDS}

    return supervise(folder, threading.Event(), plan)


if __name__ == "__main__":
    sys.exit(main())
