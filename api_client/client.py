"""The HTTP client of KoinX's API, shared by the dashboard and the command line."""

import json
import sys
from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Annotated, Any, TypeVar
from urllib.parse import quote

import requests
from pydantic import AwareDatetime, PlainValidator, TypeAdapter, ValidationError

from logs.redaction import plain

PAGE_SIZE = 250
# The API takes 3 s to report that its database is down: wait long enough to receive that.
READ_SECONDS = 5.0

T = TypeVar("T")


class ApiError(Exception):
    """The API gave no usable answer: what happened, and what the reader can do."""

    def __init__(self, message: str, next_step: str) -> None:
        super().__init__(message)
        self.message = message
        self.next_step = next_step


class UnknownCoin(ApiError):
    """KoinX does not collect this coin."""


def _finite(value: Any) -> float:
    # Integers stay integers, so that every digit can be shown. NaN fails the comparison as well.
    if type(value) in (int, float) and abs(value) <= sys.float_info.max:
        return value  # type: ignore[no-any-return]
    raise ValueError(f"{value!r} is not a number")


Number = Annotated[float, PlainValidator(_finite)]


@dataclass(frozen=True, slots=True)
class Coin:
    """A coin with its newest quote: money in the API's currency, `change_24h` in percent."""

    id: str
    symbol: str
    name: str
    rank: int | None
    state: str
    successor: str | None
    price: Number | None
    market_cap: Number | None
    change_24h: Number | None
    volume_24h: Number | None
    deviation: Number | None
    deviation_count: int
    as_of: AwareDatetime | None
    recorded_at: AwareDatetime | None
    age_seconds: Number | None
    freshness: str
    source: str | None
    week: tuple[Number | None, ...] = ()  # prices at equal intervals; None marks a gap


@dataclass(frozen=True, slots=True)
class Update:
    """An update in the ledger: `progress` goes from 0 to 1, `hops` has the time of each step.

    `counts` and `error` are None until there are any.
    """

    id: str
    trigger: str
    state: str
    stage: str
    progress: Number
    slot: AwareDatetime | None
    received_at: AwareDatetime | None
    finished_at: AwareDatetime | None
    hops: dict[str, AwareDatetime]
    counts: dict[str, int] | None
    error: str | None


COIN = TypeAdapter(Coin)
UPDATES = TypeAdapter(list[Update])
ROWS = TypeAdapter(list[dict[str, Any]])


class Client:
    """Calls the API at `api_url`. A read takes at most `timeout` seconds, a refresh
    `refresh_timeout`, whatever the API does. Each call sends `api_key`, which an API on another
    machine requires. Every failure raises ApiError."""

    def __init__(
        self,
        api_url: str,
        timeout: float = READ_SECONDS,
        refresh_timeout: float = 10.0,
        api_key: str | None = None,
    ) -> None:
        self.api_url = api_url.rstrip("/")
        self._headers = {"Accept": "application/json"}
        if api_key is not None:
            self._headers["X-API-Key"] = api_key
        self.timeout = timeout
        self.refresh_timeout = refresh_timeout

    def coins(self) -> list[Coin]:
        """All coins that KoinX collects, by rank."""
        return self._within(self.timeout, lambda: list(map(_coin, self._coin_pages())))

    def coin(self, coin: str) -> Coin:
        """One coin; UnknownCoin if KoinX does not collect it."""

        def parse(body: dict[str, Any]) -> Coin:
            if body.get("code") == requests.codes.not_found:
                raise UnknownCoin(
                    f"There is no coin {coin!r}.", "The Market page lists all collected coins."
                )
            return _coin(body)

        not_found = (requests.codes.not_found,)
        return self.read(f"/v1/coins/{quote(coin, safe='')}", parse, also=not_found)

    def last_update(self) -> Update | None:
        """The newest update, finished or not; None before the first."""
        return next(iter(self.updates(1)), None)

    def updates(self, count: int) -> list[Update]:
        """The newest `count` updates."""
        query = {"page": "1", "page_size": str(count)}
        return self.read("/v1/updates", UPDATES.validate_python, query)[:count]

    def refresh(self) -> None:
        """Run an update now; returns once its quotes can be read."""
        self._within(self.refresh_timeout, lambda: self._ask("POST", "/trigger-update"))

    def read(
        self,
        path: str,
        parse: Callable[[Any], T],
        query: dict[str, str] | None = None,
        *,
        also: Container[int] = (),
    ) -> T:
        """The JSON at `path`, converted by `parse`. `also` lists statuses other than 200 whose body
        is an answer too. An error in `parse` becomes an ApiError like every other failure."""

        def read() -> T:
            return parse(self._ask("GET", path, query, also=also).json())

        return self._within(self.timeout, read)

    def last_modified(self, path: str, query: dict[str, str]) -> datetime | None:
        """The Last-Modified time of the answer; None without that header."""

        def read() -> datetime | None:
            header = self._ask("GET", path, query).headers.get("Last-Modified")
            return parsedate_to_datetime(header) if header else None

        return self._within(self.timeout, read)

    def _coin_pages(self) -> Iterator[dict[str, Any]]:
        number = last = 1
        while number <= last:
            query = {"page": str(number), "page_size": str(PAGE_SIZE), "sort": "rank"}
            answer = self._ask("GET", "/v1/coins", query)
            yield from ROWS.validate_python(answer.json())
            pagination = json.loads(answer.headers.get("X-Pagination") or "{}")
            last = int(pagination.get("total_pages") or 1)
            number += 1

    def _ask(
        self,
        method: str,
        path: str,
        query: dict[str, str] | None = None,
        *,
        also: Container[int] = (),
    ) -> requests.Response:
        seconds = self.timeout if method == "GET" else self.refresh_timeout
        with requests.Session() as session:
            # A proxy set in the environment is for other hosts, not for KoinX's own API.
            session.trust_env = False
            answer = session.request(
                method,
                self.api_url + path,
                params=query,
                timeout=seconds,
                allow_redirects=False,
                headers=self._headers,
            )
        if answer.status_code != requests.codes.ok and answer.status_code not in also:
            raise _refusal(method, answer)
        return answer

    def _within(self, seconds: float, work: Callable[[], T]) -> T:
        """The result of `work`; ApiError after `seconds`. It runs in a thread because requests
        limits each wait for bytes but not their sum; the thread ends with its own waits."""
        outcome: SimpleQueue[T | Exception] = SimpleQueue()

        def run() -> None:
            try:
                outcome.put(work())
            except Exception as error:
                outcome.put(error)

        Thread(target=run, name="api-client", daemon=True).start()
        try:
            result = outcome.get(timeout=seconds)
        except Empty:
            result = requests.Timeout()
        if isinstance(result, Exception):
            raise self._api_error(result, seconds) from result
        return result

    def _api_error(self, error: Exception, seconds: float) -> ApiError:
        if isinstance(error, ApiError):
            return error
        if isinstance(error, requests.Timeout):
            return ApiError(
                f"The API at {self.api_url} did not answer within {seconds:g} s.",
                "It may be busy: see ./koinx status and ./koinx logs api.",
            )
        if isinstance(error, requests.ConnectionError):
            return ApiError(
                f"The API at {self.api_url} does not answer.",
                "Start it with ./koinx start api, then check ./koinx status.",
            )
        if isinstance(error, ValidationError):
            first = error.errors()[0]
            error = ValueError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}")
        return ApiError(
            f"The server at {self.api_url} does not answer like KoinX's API: {plain(error)}",
            "Check API_HOST and API_PORT, and see ./koinx logs api.",
        )


REFRESH_FAILURES = {
    502: (
        "The price source failed",
        "Try again in a minute, or see ./koinx logs worker.",
    ),
    503: ("The update could not be started", "./koinx status shows which server is down."),
    504: (
        "The update did not finish in time",
        "It may still finish: watch the line about the last update.",
    ),
    429: ("Too many refreshes", "Wait a minute, then try again."),
}


def _refusal(method: str, answer: requests.Response) -> ApiError:
    status, reason = answer.status_code, _reason(answer)
    if method == "GET" and status == requests.codes.service_unavailable:
        return ApiError(
            f"The API is running but cannot reach MongoDB: {reason}",
            "Start it with ./koinx start mongodb, then check ./koinx status.",
        )
    if method == "GET":
        return ApiError(f"The API answered {status}: {reason}", "See ./koinx logs api.")
    what, next_step = REFRESH_FAILURES.get(
        status, (f"The API answered the update request with {status}", "See ./koinx logs api.")
    )
    return ApiError(f"{what}: {reason}", next_step)


def _reason(answer: requests.Response) -> str:
    """The API's own reason: the original routes send it as `error`, version 1 as `message`."""
    try:
        body = answer.json()
        text = body.get("error") or body.get("message") or body.get("status")
    except (ValueError, AttributeError):
        text = None
    return str(text or answer.reason or "no reason given").rstrip(".") + "."


def _coin(row: dict[str, Any]) -> Coin:
    # The API knows nothing but the id of a coin that it has never stored a quote of.
    named = {"symbol": row["symbol"] or "", "name": row["name"] or row["id"]}
    return COIN.validate_python(row | named | {"week": row["sparkline"]["prices"]})
