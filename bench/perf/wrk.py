"""Load from 32 connections by wrk, a small program that most systems have as a package."""

import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

CONNECTIONS = 32
SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0}
PATHS = """
local paths = {{}}
for line in io.lines("{file}") do paths[#paths + 1] = line end
request = function() return wrk.format("GET", paths[math.random(#paths)]) end
"""


class NoWrk(Exception):
    """wrk is not installed."""


@dataclass(frozen=True)
class Load:
    """Answers a second, and the latency in ms that 99 % of them did not exceed."""

    per_second: float
    worst_ms: float


def load(url: str, seconds: int, *, headers: Sequence[str] = (), paths: Path | None = None) -> Load:
    """Asks for `url` on 32 connections; with a file of `paths`, each time for one of them.

    Raises NoWrk, and AssertionError if an answer is neither a 2xx nor a 3xx.
    """
    program = shutil.which("wrk")
    if program is None:
        raise NoWrk("wrk is not installed: apt-get install wrk, or brew install wrk")
    command = [program, "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--latency"]
    for header in headers:
        command += ["-H", header]
    if paths is not None:
        script = paths.with_suffix(".lua")
        script.write_text(PATHS.format(file=paths))
        command += ["-s", str(script)]
    # In a session of its own, as the servers are: the kernel may share its time by sessions.
    done = subprocess.run(
        [*command, url], capture_output=True, text=True, check=True, start_new_session=True
    )
    assert "Non-2xx" not in done.stdout, done.stdout
    assert "Socket errors" not in done.stdout, done.stdout
    worst = re.search(r"99%\s+([\d.]+)(us|ms|s|m)\b", done.stdout)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)
    assert worst and rate, done.stdout
    return Load(float(rate[1]), float(worst[1]) * SECONDS[worst[2]] * 1e3)
