"""What tests share: real servers, the simulator, and waiting for a condition."""

import resource
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from random import randrange
from typing import Any, TypeVar

import requests

from market.model.quotes import Quote
from market.storage.quote_store import QuoteStore
from settings import Settings
from settings.disk_space import Server
from supervisor.embedded import servers

Found = TypeVar("Found")
PASSWORD = "0123456789abcdef" * 4  # of the servers that a test starts by itself
RECORDED = Path(__file__).parents[3] / "shared" / "data" / "coingecko"


def wait_until(look: Callable[[], Found | None], what: str, seconds: float = 15) -> Found:
    """What `look` returns once it is true; fails with `what` was awaited."""
    end = time.monotonic() + seconds
    while not (found := look()):
        if time.monotonic() > end:
            raise AssertionError(f"waited {seconds} s for {what}, last saw {found!r}")
        time.sleep(0.01)
    return found


def cpu_of_children() -> float:
    """Seconds of processor time of the child processes that ended: load does not lengthen them."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def free_port() -> int:
    """A loopback port that nobody listens on, below those that connections are given."""
    while True:
        with suppress(OSError), socket.create_server(("127.0.0.1", randrange(10_000, 32_000))) as s:
            return int(s.getsockname()[1])


def address(name: Server, port: int) -> str:
    """Where such a server listens, with its password."""
    return servers.url(name, port, PASSWORD)


@contextmanager
def server(
    name: Server, home: Path, port: int | None = None, **settings: Any
) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """An embedded server of its own under `home`: its address and its process."""
    port = port or free_port()
    known = Settings(koinx_home=home, market="demo", **settings)
    spec = servers.spec(name, known, port, PASSWORD)
    for folder in spec.folders:
        Path(folder).mkdir(parents=True, exist_ok=True)
    for file, text in spec.files.items():
        Path(file).parent.mkdir(parents=True, exist_ok=True)
        Path(file).write_text(text)
        Path(file).chmod(0o600)
    assert spec.probe is not None
    check = spec.probe.check()

    def ready() -> bool:
        assert process.poll() is None, f"{name} ended with {process.returncode}"
        try:
            return check()
        except (OSError, ValueError):
            return False

    quiet = subprocess.DEVNULL
    with subprocess.Popen(spec.command, stdout=quiet, stderr=quiet) as process:
        try:
            wait_until(ready, f"{name} to answer")
            yield address(name, port), process
        finally:
            process.kill()
            process.wait()


def freeze(process: subprocess.Popen[bytes]) -> None:
    """Stops a process, and waits until each of its threads stands: they do not do so at once."""
    process.send_signal(signal.SIGSTOP)
    tasks = Path(f"/proc/{process.pid}/task")
    wait_until(lambda: all(_stands(stat) for stat in tasks.glob("*/stat")), "it to stand")


def _stands(stat: Path) -> bool:
    return stat.read_text().rpartition(")")[2].split()[0] == "T"


def quote(coin: str, price: float, at: datetime | None = None, **fields: Any) -> Quote:
    """A quote of a coin, now unless said otherwise."""
    known = {
        "market_cap": None,
        "change_24h": None,
        "volume_24h": None,
        "name": coin.title(),
        "symbol": coin[:3],
        "rank": None,
        "image": None,
    }
    at = at or datetime.now(UTC)
    at = at.replace(microsecond=at.microsecond // 1000 * 1000)
    return Quote(coin=coin, price=price, at=at, **known | fields)


def keep(store: QuoteStore, *quotes: Quote, recorded_at: datetime | None = None) -> None:
    """Stores quotes as an update does."""
    at = recorded_at or datetime.now(UTC)
    latest = store.latest()
    store.record(quotes, source="simulator", recorded_at=at)
    store.merge_latest(latest, quotes, source="simulator", recorded_at=at)
    store.describe(quotes, latest, store.away())


class SimulatorControl:
    """The simulator's address, and what it is told to do wrong."""

    def __init__(self, url: str, key: str = "") -> None:
        self.url = url
        self._headers = {"X-API-Key": key}

    def fault(self, kind: str, **fields: object) -> None:
        """Scripts one fault."""
        with requests.post(
            f"{self.url}/simulator/faults",
            json=[{"kind": kind, **fields}],
            headers=self._headers,
            timeout=5,
        ) as answer:
            assert answer.ok, answer.text

    def clear(self) -> None:
        """Ends all faults."""
        url = f"{self.url}/simulator/faults"
        requests.delete(url, headers=self._headers, timeout=5).close()

    def served(self, since: int) -> dict[str, Any]:
        """The rows that it served from number `since` on."""
        url = f"{self.url}/simulator/served?since={since}"
        found: dict[str, Any] = requests.get(url, headers=self._headers, timeout=10).json()
        return found
