"""What a frozen server does to the API: `python -m bench.chaos.freeze --seconds 60`.

Stops MongoDB, NATS and Redis in turn with SIGSTOP, and asks the API all the while. Prints the
slowest answer of each path, the kinds of answers, and how long it takes until an update is done
again. Exits with 1 when /health takes over 1 s, another answer over 10 s, or recovery over 60 s.
"""

import argparse
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

import psutil
import requests

from bench.harness.system import System, running

SERVERS = ("mongodb", "nats", "redis")
ASKED = (
    ("GET", "/health"),
    ("GET", "/ready"),
    ("GET", "/stats?coin=bitcoin"),
    ("GET", "/deviation?coin=bitcoin"),
    ("GET", "/v1/coins"),
    ("GET", "/v1/updates"),
    ("POST", "/trigger-update"),
)
HEALTH_SECONDS = 1.0
ANSWER_SECONDS = 10.0
RECOVERY_SECONDS = 60.0


class Asker(threading.Thread):
    """Asks for one path again and again, and keeps the slowest answer."""

    def __init__(self, system: System, method: str, path: str, ended: threading.Event) -> None:
        super().__init__(daemon=True)
        self._call = (method, system.api + path)
        self._ended = ended
        self.name = f"{method} {path}"
        self.slowest = 0.0
        self.answers: Counter[str] = Counter()

    def run(self) -> None:
        """Until the freeze is over."""
        while not self._ended.is_set():
            begun = time.monotonic()
            try:
                answer = str(requests.request(*self._call, timeout=30).status_code)
            except requests.RequestException as error:
                answer = type(error).__name__
            self.slowest = max(self.slowest, time.monotonic() - begun)
            self.answers[answer] += 1
            self._ended.wait(0.5)


def freeze(system: System, name: str, seconds: float) -> bool:
    """Freezes one server, prints what the API answered meanwhile; whether all bounds held."""
    process = psutil.Process(system.status()[name]["pid"])
    ended = threading.Event()
    askers = [Asker(system, method, path, ended) for method, path in ASKED]
    process.suspend()
    try:
        for asker in askers:
            asker.start()
        time.sleep(seconds)
    finally:
        process.resume()
        thawed = time.monotonic()
    ended.set()
    recovered = _recovery(system, thawed)
    for asker in askers:
        asker.join(30)
    print(f"{name} frozen for {seconds:.0f} s; an update was done {recovered:.1f} s after")
    held = recovered <= RECOVERY_SECONDS
    for asker in askers:
        bound = HEALTH_SECONDS if "/health" in asker.name else ANSWER_SECONDS
        held = held and asker.slowest <= bound
        late = "" if asker.slowest <= bound else f"  over {bound:.0f} s"
        print(f"  {asker.name:<28} slowest {asker.slowest:5.2f} s  {dict(asker.answers)}{late}")
    return held


def _recovery(system: System, thawed: float) -> float:
    while time.monotonic() - thawed < 2 * RECOVERY_SECONDS:
        try:
            if requests.post(f"{system.api}/trigger-update", timeout=30).ok:
                break
        except requests.RequestException:
            pass
        time.sleep(0.5)
    return time.monotonic() - thawed


def main() -> int:
    """Freezes each server once."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as home,
        running(Path(home), "--demo", COINS="bitcoin,top:50") as system,
    ):
        _recovery(system, time.monotonic())
        held = [freeze(system, name, options.seconds) for name in SERVERS]
    return 0 if all(held) else 1


if __name__ == "__main__":
    sys.exit(main())
