"""The HTTP client of KoinX's API."""

import json
import sys
from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from functools import partial
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, TypeVar
from urllib.parse import quote

import requests

from logs.redaction import plain

PAGE_SIZE = 250
# The API itself says after 3 s that its database does not answer: that is to be heard.
READ_SECONDS = 5.0
LARGEST = sys.float_info.max  # NaN is not below it either

T = TypeVar("T")


class ApiError(Exception):
    """The API gave no usable answer: what happened, and what to do next, in plain words."""

    def __init__(self, message: str, next_step: str) -> None:
        super().__init__(message)
        self.message = message
        self.next_step = next_step


class UnknownCoin(ApiError):
    """The API collects no such coin."""


@dataclass(frozen=True, slots=True)
class Coin:
    """A coin with its newest quote: money in the API's currency, `change_24h` in percent."""

    id: str
    symbol: str
    name: str
    rank: int | None
    state: str
    successor: str | None
    price: float | None
    market_cap: float | None
    change_24h: float | None
    volume_24h: float | None
    deviation: float | None
    deviation_count: int
    as_of: datetime | None
    recorded_at: datetime | None
    age_seconds: float | None
    freshness: str
    source: str | None
    week: tuple[float | None, ...] = ()  # prices, equally far apart; None in a gap


@dataclass(frozen=True, slots=True)
class Update:
    """A line of the ledger; `counts` and `error` are None while there are none."""

    id: str
    trigger: str
    state: str
    slot: datetime | None
    received_at: datetime | None
    finished_at: datetime | None
    counts: dict[str, int] | None
    error: str | None


class Client:
    """Talks to the API at `api_url`. A read takes `timeout` seconds at most, whatever the API
    does, a refresh `refresh_timeout`. `api_key` goes with each call, as an API on another machine
    wants it. Every failure is an ApiError."""

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
        """All coins collected, by rank."""
        return self._within(self.timeout, lambda: [_coin(row) for row in self._pages("/v1/coins")])

    def coin(self, coin: str) -> Coin:
        """One coin; an UnknownCoin where it is not collected."""

        def parse(body: dict[str, Any]) -> Coin:
            if body.get("code") == requests.codes.not_found:
                raise UnknownCoin(
                    f"There is no coin {coin!r} here.", "Market lists all that are collected."
                )
            return _coin(body)

        not_found = (requests.codes.not_found,)
        return self.read(f"/v1/coins/{quote(coin, safe='')}", parse, also=not_found)

    def last_update(self) -> Update | None:
        """The newest update, ended or not; None before the first."""

        def read() -> Update | None:
            answer = self._ask("GET", "/v1/updates", {"page": "1", "page_size": "1"})
            return next(map(_update, _rows(answer)), None)

        return self._within(self.timeout, read)

    def refresh(self) -> None:
        """Fetch new quotes now; returns once they can be read."""
        self._within(self.refresh_timeout, lambda: self._ask("POST", "/trigger-update"))

    def read(
        self,
        path: str,
        parse: Callable[[Any], T],
        query: dict[str, str] | None = None,
        *,
        also: Container[int] = (),
    ) -> T:
        """What `parse` makes of the JSON at `path`. `also`: statuses other than 200 that carry an
        answer. What `parse` cannot read is an ApiError like every other failure."""
        ask = partial(self._ask, "GET", path, query, also=also)
        return self._within(self.timeout, lambda: parse(ask().json()))

    def last_modified(self, path: str, query: dict[str, str]) -> datetime | None:
        """When the answer there changed last, by its header; None where it does not say."""

        def read() -> datetime | None:
            header = self._ask("GET", path, query).headers.get("Last-Modified")
            return parsedate_to_datetime(header) if header else None

        return self._within(self.timeout, read)

    def _pages(self, path: str) -> Iterator[dict[str, Any]]:
        number = last = 1
        while number <= last:
            query = {"page": str(number), "page_size": str(PAGE_SIZE), "sort": "rank"}
            answer = self._ask("GET", path, query)
            yield from _rows(answer)
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
            # A proxy of the environment is for the world outside, not for our own API.
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
        """The result of `work`, or an ApiError once `seconds` are over. A thread, because
        requests bounds each wait for bytes but not their sum; it ends with its own waits."""
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
            raise self._late(seconds) from None
        if isinstance(result, Exception):
            raise self._plain(result, seconds) from result
        return result

    def _plain(self, error: Exception, seconds: float) -> ApiError:
        if isinstance(error, ApiError):
            return error
        if isinstance(error, requests.Timeout):
            return self._late(seconds)
        if isinstance(error, requests.ConnectionError):
            return ApiError(
                f"The API at {self.api_url} does not answer.",
                "Start it with ./koinx start api; ./koinx status shows what runs.",
            )
        return ApiError(
            f"What answers at {self.api_url} is not to be read as KoinX's API: {plain(error)}",
            "Check API_HOST and API_PORT; ./koinx logs api says more.",
        )

    def _late(self, seconds: float) -> ApiError:
        return ApiError(
            f"The API at {self.api_url} did not answer within {seconds:g} s.",
            "It may be busy. ./koinx status shows what runs, ./koinx logs api what it does.",
        )


def _refusal(method: str, answer: requests.Response) -> ApiError:
    status, reason = answer.status_code, _reason(answer)
    if method == "GET" and status == requests.codes.service_unavailable:
        return ApiError(
            f"The API runs, but its database does not answer: {reason}",
            "Start it with ./koinx start mongodb; ./koinx status shows what runs.",
        )
    if method == "GET":
        return ApiError(f"The API answered {status}: {reason}", "./koinx logs api says why.")
    cures = {
        requests.codes.bad_gateway: (
            "The source of the prices failed",
            "Try again in a minute; ./koinx logs worker says more.",
        ),
        requests.codes.service_unavailable: (
            "The update could not be started",
            "./koinx status shows which server is down.",
        ),
        requests.codes.gateway_timeout: (
            "The update did not end in time",
            "It may still end by itself: the line about the last update will say so.",
        ),
        requests.codes.too_many_requests: (
            "Too many refreshes",
            "Wait a minute, then try again.",
        ),
    }
    what, cure = cures.get(
        status, (f"The API answered {status} to the refresh", "./koinx logs api says why.")
    )
    return ApiError(f"{what}: {reason}", cure)


def _reason(answer: requests.Response) -> str:
    """The API's own words: the seed's routes say `error`, version 1 says `message`."""
    try:
        body = answer.json()
        text = body.get("error") or body.get("message") or body.get("status")
    except (ValueError, AttributeError):
        text = None
    return str(text or answer.reason or "no reason given").rstrip(".") + "."


def _rows(answer: requests.Response) -> list[dict[str, Any]]:
    rows = answer.json()
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ValueError(f"{answer.url} gave no list of objects")
    return rows


def _coin(row: dict[str, Any]) -> Coin:
    return Coin(
        id=row["id"],
        # Of a coin that was never stored nothing is known but its id.
        symbol=row["symbol"] or "",
        name=row["name"] or row["id"],
        rank=row["rank"],
        state=row["state"],
        successor=row["successor"],
        price=finite(row, "price"),
        market_cap=finite(row, "market_cap"),
        change_24h=finite(row, "change_24h"),
        volume_24h=finite(row, "volume_24h"),
        deviation=finite(row, "deviation"),
        deviation_count=int(row["deviation_count"]),
        as_of=zoned(row, "as_of"),
        recorded_at=zoned(row, "recorded_at"),
        age_seconds=finite(row, "age_seconds"),
        freshness=row["freshness"],
        source=row["source"],
        week=tuple(finite({"price": one}, "price") for one in row["sparkline"]["prices"]),
    )


def _update(row: dict[str, Any]) -> Update:
    return Update(
        id=row["id"],
        trigger=row["trigger"],
        state=row["state"],
        slot=zoned(row, "slot"),
        received_at=zoned(row, "received_at"),
        finished_at=zoned(row, "finished_at"),
        counts=row["counts"],
        error=row["error"],
    )


def finite(row: dict[str, Any], key: str) -> float | None:
    """A number of an answer, or None; a ValueError for what is neither."""
    value = row[key]
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= LARGEST:
        raise ValueError(f"{key} of {_owner(row)} is {value!r}, not a number")
    return value


def zoned(row: dict[str, Any], key: str) -> datetime | None:
    """A time of an answer, or None; a ValueError for what is neither."""
    value = row[key]
    if value is None:
        return None
    at = datetime.fromisoformat(value)
    if at.tzinfo is None:
        raise ValueError(f"{key} of {_owner(row)} is {value!r}, without its zone")
    return at


def _owner(row: dict[str, Any]) -> Any:
    return row.get("id") or row.get("coin")
