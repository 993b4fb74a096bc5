"""Counts what is answered: by rule, method and class of status, with the time that it took."""

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, NamedTuple

from flask import Flask, request, request_started

from api.metrics.storage import CounterStore, Times

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

METHODS = frozenset({"GET", "HEAD", "POST", "OPTIONS", "PUT", "PATCH", "DELETE"})
OTHER = "other"  # any method beside those
UNKNOWN = "unknown"  # the rule of what is at no address of ours
RULE = "koinx.rule"
UNCOUNTED = "koinx.uncounted"  # in the environment, by whoever counts the answer himself
PART = re.compile(r"<(?:[^<>:]*:)?([^<>]+)>")


class Answered(NamedTuple):
    """What is counted together; `status` is a class, such as `2xx`."""

    rule: str
    method: str
    status: str


class RequestMetrics:
    """The requests that all of a home's API processes answered, and the streams they hold open."""

    def __init__(self, folder: Path) -> None:
        self._tally = CounterStore(folder)
        self._counters: dict[str, Callable[[float], None]] = {}

    def observe(self, rule: str, method: str, status: int, seconds: float) -> None:
        """Counts an answer, by its rule as in the OpenAPI document: `/v1/coins/{coin}`.

        Call it before the answer goes out: whoever has it finds it counted.
        """
        self.counter(rule, method, status)(seconds)

    def counter(self, rule: str, method: str, status: int) -> Callable[[float], None]:
        """What counts such answers by their seconds, for whoever gives many; takes under 1 µs."""
        name = _name(rule, method, status // 100)
        # A race makes one twice, and both count into the same place.
        found = self._counters.get(name)
        if found is None:
            found = self._counters[name] = self._tally.counter(name)
        return found

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Counts a stream while it is open."""
        self._tally.listen(1)
        try:
            yield
        finally:
            self._tally.listen(-1)

    def all(self) -> tuple[dict[Answered, Times], int]:
        """What was answered so far, killed processes' answers among it, and the open streams."""
        times, listeners = self._tally.all()
        return {_answered(name): found for name, found in times.items()}, listeners


def measure_requests(app: Flask, requests: RequestMetrics) -> None:
    """Counts what the app answers; whoever answers in its stead calls `observe` himself.

    A stream counts as answered once it begins.
    """

    def note_rule(_: Flask, **__: Any) -> None:
        if request.url_rule is not None:
            request.environ[RULE] = readable(request.url_rule.rule)

    # By a signal: it comes before all hooks, one of which may refuse.
    request_started.connect(note_rule, app, weak=False)
    app.wsgi_app = counted(app.wsgi_app, requests)  # type: ignore[assignment, method-assign]


def counted(answer: "WSGIApplication", requests: RequestMetrics) -> "WSGIApplication":
    """The WSGI application, its answers counted by the rule that it leaves in the environment."""

    def measured(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        started = perf_counter()
        status = 500

        def note_status(line: str, *rest: Any) -> Callable[[bytes], object]:
            nonlocal status
            status = int(line[:3])
            return start_response(line, *rest)

        try:
            return answer(environ, note_status)
        finally:
            if UNCOUNTED not in environ:
                rule, method = environ.get(RULE, UNKNOWN), environ["REQUEST_METHOD"]
                requests.observe(rule, method, status, perf_counter() - started)

    return measured


@lru_cache(maxsize=256)
def readable(rule: str) -> str:
    """Flask's rule as in the OpenAPI document."""
    return PART.sub(r"{\1}", rule)


@lru_cache(maxsize=1024)
def _name(rule: str, method: str, status: int) -> str:
    return f"{method if method in METHODS else OTHER} {status}xx {rule}"


def _answered(name: str) -> Answered:
    if name.count(" ") != 2:
        return Answered(name, OTHER, OTHER)
    method, status, rule = name.split(" ")
    return Answered(rule, method, status)
