"""`./koinx selftest`: sends one update the whole way, and says at which hop it stops."""

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
from cli.output import complain, paint, say
from settings import Settings
from supervisor.celery_client import CeleryClient
from supervisor.control import Processes
from supervisor.health_checks import HEARTBEAT_TIMEOUT

TASK, QUEUE = "tasks.schedule.publish_update", "maintenance"
SERVER_SECONDS = 3.0
WORKER_SECONDS = 10.0
HOP_SECONDS = 15.0  # that each hop may take, but for the source
FETCH_SECONDS = 75.0  # the source has 45 s, its substitute some more
LOOK_SECONDS = 0.1
GONE = (requests.codes.not_found, requests.codes.service_unavailable)

Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class Step:
    """A hop that was reached, `seconds` after the start, and by what that is known."""

    hop: str
    seconds: float
    text: str


class Broken(Exception):
    """The way ends at `hop`, since `part` (a process, a server, the source) does not do its."""

    def __init__(self, hop: str, part: str, reason: str, cure: str | None = None) -> None:
        super().__init__(reason)
        self.hop, self.part, self.reason = hop, part, reason
        self.cure = cure or f"./koinx start {part}; ./koinx logs {part} says more"


def selftest(processes: Processes, settings: Settings, client: Client, *, as_json: bool) -> int:
    """Go the way, and tell each hop; the exit code is 1 when it ends before its end."""
    way = Way(processes, settings, client)
    done: list[Step] = []
    broken: Broken | None = None
    try:
        for step in way.steps():
            done.append(step)
            if not as_json:
                ok = paint("ok", "green")
                say(f"{ok}     {step.hop:<10} {step.seconds:6.2f} s  {step.text}")
    except Broken as error:
        broken = error
    if as_json:
        told = vars(broken) if broken else None
        say(json.dumps({"update": way.id, "steps": list(map(asdict, done)), "broken": told}))
    elif broken:
        complain(f"broken {broken.hop:<10} {broken.part}: {broken.reason}")
        complain(f"       {broken.cure}")
    return 1 if broken else 0


class Way:
    """One update's way; `id` is its own, once it was sent."""

    def __init__(self, processes: Processes, settings: Settings, client: Client) -> None:
        self._processes = processes
        self._settings = settings
        self._client = client
        self._broker = CeleryClient(settings.server("redis_url"), SERVER_SECONDS)
        self._begun = time.monotonic()
        self._text = ""  # what the API said last, when it was no update
        self._ahead = ""  # the hop that is waited for
        self.id: str | None = None

    def steps(self) -> Iterator[Step]:
        """Each hop once it is reached; raises Broken."""
        yield self._step("queue", self._queue())
        yield self._step("scheduled", self._beat())
        yield self._step("worker", self._worker())
        with ExitStack() as stack:
            try:
                seen = stack.enter_context(requested_ids(self._settings.server("nats_url")))
            except Exception as error:  # whatever it is, NATS is not there
                raise Broken("published", "nats", _does_not_answer(error)) from error
            self.id = f"call-{self._send()}"
            try:
                self._await("published", lambda: self.id in seen, self._unpublished)
            except Broken:
                if not self._entered():
                    raise
            yield self._step("published", f"{REQUESTED} with id {self.id} is on NATS")
        self._await("received", self._update, self._unreceived)
        yield self._step("received", "an API process entered it in the ledger")
        self._await("started", lambda: self._hop("started"), self._unstarted)
        yield self._step("started", "a worker took its task")
        update = self._await("fetched", self._ended, self._unended, FETCH_SECONDS)
        if update["state"] != "done":
            raise Broken("fetched", "source", update["error"] or "no reason given", self._trace())
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
        broken: Callable[[str], Broken],
        within: float | None = None,
    ) -> Found:
        """What `look` finds; it may say by Broken that waiting is in vain."""
        within, self._ahead = within or HOP_SECONDS, hop
        end = time.monotonic() + within
        while not (found := look()):
            if time.monotonic() > end:
                raise broken(f"not {hop} after {within:.0f} s")
            time.sleep(LOOK_SECONDS)
        return found

    def _queue(self) -> str:
        url = self._settings.server("redis_url")
        try:
            with redis.Redis.from_url(
                url, socket_timeout=SERVER_SECONDS, socket_connect_timeout=SERVER_SECONDS
            ) as client:
                client.ping()
        except redis.RedisError as error:
            raise Broken("queue", "redis", _does_not_answer(error)) from error
        return "Redis takes tasks"

    def _beat(self) -> str:
        is_ours = self._is_ours("scheduled", "beat")
        file = self._settings.run_folder / "beat.json"
        age = _age(file)
        if age is None and not is_ours:
            return f"beat runs elsewhere: it leaves no {file}"
        if age is None or age > HEARTBEAT_TIMEOUT:
            seen = "never" if age is None else f"{age:.0f} s ago"
            raise Broken("scheduled", "beat", f"left its last sign of life {seen}")
        return f"beat lives: its sign is {age:.1f} s old"

    def _worker(self) -> str:
        self._is_ours("worker", "worker")
        end = time.monotonic() + WORKER_SECONDS
        while time.monotonic() < end:
            try:
                if answers := self._broker.ping():
                    return f"{next(iter(answers[0]))} answers"
            except Exception as error:  # kombu's family of errors is its transports'
                raise Broken("worker", "redis", _does_not_answer(error)) from error
        raise Broken("worker", "worker", f"none answered within {WORKER_SECONDS:.0f} s")

    def _is_ours(self, hop: str, name: str) -> bool:
        """Whether a process is this home's; raises Broken when it is, and does not run."""
        process = self._processes.overview().get(name)
        if process is not None and process["pid"] is None:
            raise Broken(hop, name, f"is {process['state']}")
        return process is not None

    def _send(self) -> str:
        try:
            return self._broker.send(TASK, QUEUE, expires=HOP_SECONDS)
        except Exception as error:
            raise Broken("published", "redis", _does_not_answer(error)) from error

    def _update(self) -> dict[str, Any] | None:
        """The ledger's entry; None while there is none, or while the ledger is not to be read."""
        try:
            body: dict[str, Any] = self._client.read(f"/v1/updates/{self.id}", dict, also=GONE)
        except ApiError as error:
            raise Broken(self._ahead, "api", error.message) from error
        self._text = str(body.get("message") or "")
        if body.get("code") == requests.codes.service_unavailable:
            part, reason = self._culprit("api")
            if reason:  # else it has too much to do just now
                raise Broken(self._ahead, part, reason)
        return body if "hops" in body else None

    def _entered(self) -> bool:
        """Whether the ledger has it: NATS need not let us hear what comes by."""
        with suppress(Broken):
            return self._update() is not None
        return False

    def _hop(self, name: str) -> bool:
        update = self._update()
        return update is not None and name in update["hops"]

    def _ended(self) -> dict[str, Any] | None:
        update = self._update()
        if update and update["stage"] == "postponed":
            part, _ = self._culprit("source")
            raise Broken("fetched", part, update["error"] or "asks to wait", self._trace())
        return update if update and update["finished_at"] else None

    def _readable(self, update: dict[str, Any]) -> str | None:
        """That a price of this update is at /stats; None while only older ones are."""
        fetched = datetime.fromisoformat(update["hops"]["fetched"]).replace(microsecond=0)
        try:
            coins = [coin for coin in self._client.coins() if coin.recorded_at is not None]
            # Where no price has moved nothing new is stored, and the newest there is will do.
            wanted = fetched if update["counts"].get("stored") else None
            newest = max(coins, key=lambda coin: coin.recorded_at or fetched, default=None)
            if newest is None:
                return None
            at = self._client.last_modified("/stats", {"coin": newest.id})
        except ApiError as error:
            raise Broken("readable", "api", error.message) from error
        if at is None or (wanted and at < wanted):
            return None
        return f"/stats?coin={newest.id} answers, recorded {at:%H:%M:%S} UTC"

    def _unpublished(self, waited: str) -> Broken:
        part, reason = self._culprit("worker")
        return Broken("published", part, reason or f"{waited}: its task {TASK} did not do it")

    def _unreceived(self, waited: str) -> Broken:
        part, reason = self._culprit("api")
        return Broken("received", part, reason or f"{waited}: no API process took it {self._text}")

    def _unstarted(self, waited: str) -> Broken:
        part, reason = self._culprit("worker")
        cure = None if reason else ".venv/bin/celery -A tasks inspect active_queues: is it drained?"
        return Broken("started", part, reason or f"{waited}: it takes no updates", cure)

    def _unended(self, waited: str) -> Broken:
        part, reason = self._culprit("source")
        return Broken("fetched", part, reason or waited, self._trace())

    def _unreadable(self, waited: str) -> Broken:
        return Broken("readable", "api", f"{waited}: only older prices are", self._trace())

    def _culprit(self, otherwise: str) -> tuple[str, str | None]:
        """What the API says is missing, with its reason; `otherwise` when that is nothing."""
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
        connection.run(subscribe, SERVER_SECONDS)
        yield seen
    finally:
        connection.close()


def _does_not_answer(error: Exception) -> str:
    # Only the kind: an address in a message may carry a password.
    return f"does not answer ({type(error).__name__})"


def _age(file: Path) -> float | None:
    """Seconds since a sign of life was left there; None if there is none."""
    try:
        return max(0.0, time.time() - float(json.loads(file.read_text())["at"]))
    except (OSError, ValueError, LookupError, TypeError):
        return None


def _counts(counts: dict[str, int]) -> str:
    return f"{counts.get('stored', 0)} new quotes, {counts.get('unchanged', 0)} unchanged"
