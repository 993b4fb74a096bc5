"""`./koinx selftest`: sends one update through the whole system; reports where it stops."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import redis
import requests
from nats.aio.client import Client as NatsClient
from nats.aio.msg import Msg

from api_client.client import ApiError, Client
from bridge.connection import Connection
from bridge.events import REQUESTED, MalformedEvent, UpdateRequested
from cli.output import paint, print_error, print_line
from settings import Settings
from supervisor.celery_client import CeleryClient
from supervisor.control import Processes
from supervisor.health_checks import HEARTBEAT_TIMEOUT

TASK, QUEUE = "tasks.schedule.publish_update", "maintenance"
SERVER_TIMEOUT = 3.0
WORKER_TIMEOUT = 10.0
STEP_TIMEOUT = 15.0
FETCH_TIMEOUT = 75.0  # the source has 45 s, its fallback some more
POLL_INTERVAL = 0.1
GONE = (requests.codes.not_found, requests.codes.service_unavailable)

Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class Step:
    """A step that the update reached, `seconds` after the start, with the evidence."""

    hop: str
    seconds: float
    text: str


class StepFailed(Exception):
    """The update stops at `hop`, because `part` (a process, a server, the source) failed."""

    def __init__(self, hop: str, part: str, reason: str, cure: str | None = None) -> None:
        super().__init__(reason)
        self.hop, self.part, self.reason = hop, part, reason
        self.cure = cure or f"./koinx start {part}; see ./koinx logs {part}"


def selftest(processes: Processes, settings: Settings, client: Client, *, as_json: bool) -> int:
    """Sends an update and reports each step; returns 1 if one fails."""
    test = Selftest(processes, settings, client)
    done: list[Step] = []
    failed: StepFailed | None = None
    try:
        for step in test.steps():
            done.append(step)
            if not as_json:
                ok = paint("ok", "green")
                print_line(f"{ok}     {step.hop:<10} {step.seconds:6.2f} s  {step.text}")
    except StepFailed as error:
        failed = error
    if as_json:
        failure = vars(failed) if failed else None
        print_line(
            json.dumps({"update": test.id, "steps": list(map(asdict, done)), "broken": failure})
        )
    elif failed:
        print_error(f"failed {failed.hop:<10} {failed.part}: {failed.reason}")
        print_error(f"       {failed.cure}")
    return 1 if failed else 0


class Selftest:
    """The path of one update; `id` is set once the update is sent."""

    def __init__(self, processes: Processes, settings: Settings, client: Client) -> None:
        self._processes = processes
        self._settings = settings
        self._client = client
        self._celery = CeleryClient(settings.server("redis_url"), SERVER_TIMEOUT)
        self._begun = time.monotonic()
        self._message = ""  # the API's last answer that was no update
        self._next_hop = ""
        self.id: str | None = None

    def steps(self) -> Iterator[Step]:
        """Yields each step once it is reached; raises StepFailed."""
        yield self._step("queue", self._queue())
        yield self._step("scheduled", self._beat())
        yield self._step("worker", self._worker())
        with ExitStack() as stack:
            try:
                seen = stack.enter_context(requested_ids(self._settings.server("nats_url")))
            except Exception as error:  # whatever went wrong, NATS is not usable
                raise StepFailed("published", "nats", _does_not_answer(error)) from error
            self.id = f"call-{self._send()}"
            try:
                self._await("published", lambda: self.id in seen, self._unpublished)
            except StepFailed:
                if not self._is_recorded():
                    raise
            yield self._step("published", f"{REQUESTED} with id {self.id} is on NATS")
        self._await("received", self._update, self._unreceived)
        yield self._step("received", "an API process recorded it in the ledger")
        self._await("started", lambda: self._hop("started"), self._unstarted)
        yield self._step("started", "a worker took its task")
        update = self._await("fetched", self._ended, self._unended, FETCH_TIMEOUT)
        if update["state"] != "done":
            raise StepFailed(
                "fetched", "source", update["error"] or "no reason given", self._trace()
            )
        yield self._step("fetched", f"{update['source']} answered")
        yield self._step("stored", _counts(update["counts"]))
        text = self._await("readable", lambda: self._readable(update), self._unreadable)
        yield self._step("readable", text)

    def _step(self, hop: str, text: str) -> Step:
        return Step(hop, round(time.monotonic() - self._begun, 3), text)

    def _await(
        self,
        hop: str,
        look: Callable[[], Found | None],
        failure: Callable[[str], StepFailed],
        timeout: float | None = None,
    ) -> Found:
        """Waits for a result of `look`, which may raise StepFailed to stop waiting."""
        timeout, self._next_hop = timeout or STEP_TIMEOUT, hop
        end = time.monotonic() + timeout
        while not (found := look()):
            if time.monotonic() > end:
                raise failure(f"not {hop} after {timeout:.0f} s")
            time.sleep(POLL_INTERVAL)
        return found

    def _queue(self) -> str:
        url = self._settings.server("redis_url")
        try:
            with redis.Redis.from_url(
                url, socket_timeout=SERVER_TIMEOUT, socket_connect_timeout=SERVER_TIMEOUT
            ) as client:
                client.ping()
        except redis.RedisError as error:
            raise StepFailed("queue", "redis", _does_not_answer(error)) from error
        return "Redis answers"

    def _beat(self) -> str:
        is_ours = self._is_ours("scheduled", "beat")
        file = self._settings.run_folder / "beat.json"
        age = _age(file)
        if age is None and not is_ours:
            return f"beat runs elsewhere: there is no {file} here"
        if age is None or age > HEARTBEAT_TIMEOUT:
            seen = "never" if age is None else f"{age:.0f} s ago"
            raise StepFailed("scheduled", "beat", f"last heartbeat: {seen}")
        return f"beat is alive: last heartbeat {age:.1f} s ago"

    def _worker(self) -> str:
        self._is_ours("worker", "worker")
        end = time.monotonic() + WORKER_TIMEOUT
        while time.monotonic() < end:
            try:
                if answers := self._celery.ping():
                    return f"{next(iter(answers[0]))} answers"
            except Exception as error:  # kombu raises its transports' errors
                raise StepFailed("worker", "redis", _does_not_answer(error)) from error
        raise StepFailed("worker", "worker", f"no worker answered within {WORKER_TIMEOUT:.0f} s")

    def _is_ours(self, hop: str, name: str) -> bool:
        """Returns whether this home has the process; raises StepFailed if it is not running."""
        process = self._processes.overview().get(name)
        if process is not None and process["pid"] is None:
            raise StepFailed(hop, name, f"is {process['state']}")
        return process is not None

    def _send(self) -> str:
        try:
            return self._celery.send(TASK, QUEUE, expires=STEP_TIMEOUT)
        except Exception as error:
            raise StepFailed("published", "redis", _does_not_answer(error)) from error

    def _update(self) -> dict[str, Any] | None:
        """Reads the update from the ledger; None while it is missing or cannot be read."""
        try:
            body: dict[str, Any] = self._client.read(f"/v1/updates/{self.id}", dict, also=GONE)
        except ApiError as error:
            raise StepFailed(self._next_hop, "api", error.message) from error
        self._message = str(body.get("message") or "")
        if body.get("code") == requests.codes.service_unavailable:
            part, reason = self._culprit("api")
            if reason:  # otherwise the API is only busy
                raise StepFailed(self._next_hop, part, reason)
        return body if "hops" in body else None

    def _is_recorded(self) -> bool:
        """Returns whether the ledger has it: this account may not be allowed to subscribe."""
        with suppress(StepFailed):
            return self._update() is not None
        return False

    def _hop(self, name: str) -> bool:
        update = self._update()
        return update is not None and name in update["hops"]

    def _ended(self) -> dict[str, Any] | None:
        update = self._update()
        if update and update["stage"] == "postponed":
            part, _ = self._culprit("source")
            raise StepFailed(
                "fetched", part, update["error"] or "the source asks to wait", self._trace()
            )
        return update if update and update["finished_at"] else None

    def _readable(self, update: dict[str, Any]) -> str | None:
        """Checks that /stats has a price of this update; None while it has only older ones."""
        fetched = datetime.fromisoformat(update["hops"]["fetched"]).replace(microsecond=0)
        try:
            coins = [coin for coin in self._client.coins() if coin.recorded_at is not None]
            # If no price has changed, nothing new is stored, and the newest one is enough.
            wanted = fetched if update["counts"].get("stored") else None
            newest = max(coins, key=lambda coin: coin.recorded_at or fetched, default=None)
            if newest is None:
                return None
            at = self._client.last_modified("/stats", {"coin": newest.id})
        except ApiError as error:
            raise StepFailed("readable", "api", error.message) from error
        if at is None or (wanted and at < wanted):
            return None
        return f"/stats?coin={newest.id} answers, recorded {at:%H:%M:%S} UTC"

    def _unpublished(self, waited: str) -> StepFailed:
        part, reason = self._culprit("worker")
        return StepFailed(
            "published", part, reason or f"{waited}: its task {TASK} published nothing"
        )

    def _unreceived(self, waited: str) -> StepFailed:
        part, reason = self._culprit("api")
        return StepFailed(
            "received", part, reason or f"{waited}: no API process took it {self._message}"
        )

    def _unstarted(self, waited: str) -> StepFailed:
        part, reason = self._culprit("worker")
        cure = None if reason else ".venv/bin/celery -A tasks inspect active_queues: is it drained?"
        return StepFailed("started", part, reason or f"{waited}: it takes no updates", cure)

    def _unended(self, waited: str) -> StepFailed:
        part, reason = self._culprit("source")
        return StepFailed("fetched", part, reason or waited, self._trace())

    def _unreadable(self, waited: str) -> StepFailed:
        return StepFailed("readable", "api", f"{waited}: only older prices are", self._trace())

    def _culprit(self, otherwise: str) -> tuple[str, str | None]:
        """Returns the dependency that the API reports as not ready, with its reason."""
        try:
            ready = self._client.read("/ready", dict, also=GONE)
        except ApiError as error:
            return "api", error.message
        for name, one in ready.get("dependencies", {}).items():
            if not one["ready"]:
                return name, one["error"]
        return otherwise, None

    def _trace(self) -> str:
        return f"./koinx trace {self.id}"


@contextmanager
def requested_ids(url: str) -> Iterator[set[str | None]]:
    """Collects the ids of all update requests published on NATS from now on."""
    seen: set[str | None] = set()

    async def collect(message: Msg) -> None:
        with suppress(MalformedEvent):
            seen.add(UpdateRequested.decode(message.data).id)

    async def subscribe(client: NatsClient) -> None:
        await client.subscribe(REQUESTED, cb=collect)
        await client.flush(timeout=2)

    connection = Connection(url, "koinx-selftest")
    try:
        connection.run(subscribe, SERVER_TIMEOUT)
        yield seen
    finally:
        connection.close()


def _does_not_answer(error: Exception) -> str:
    # Only the type: an address in the message may contain a password.
    return f"does not answer ({type(error).__name__})"


def _age(file: Path) -> float | None:
    """Returns the seconds since the heartbeat; None if there is none."""
    try:
        return max(0.0, time.time() - float(json.loads(file.read_text())["at"]))
    except (OSError, ValueError, LookupError, TypeError):
        return None


def _counts(counts: dict[str, int]) -> str:
    return f"{counts.get('stored', 0)} new quotes, {counts.get('unchanged', 0)} unchanged"
