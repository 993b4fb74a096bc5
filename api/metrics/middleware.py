"""Counts responses by route, method and status class, with the time each took."""

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, NamedTuple

from flask import Flask, request, request_started

from api.metrics.storage import CounterStore, DurationHistogram

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

METHODS = frozenset({"GET", "HEAD", "POST", "OPTIONS", "PUT", "PATCH", "DELETE"})
OTHER = "other"  # any other method
UNKNOWN = "unknown"  # the route of a path that does not exist
RULE = "koinx.rule"
UNCOUNTED = "koinx.uncounted"  # in the environment, set by whoever counts the response itself
PART = re.compile(r"<(?:[^<>:]*:)?([^<>]+)>")


class Answered(NamedTuple):
    """The labels that responses are counted by; `status` is a class, such as `2xx`."""

    rule: str
    method: str
    status: str


class RequestMetrics:
    """The responses of all API processes of a home, and the event streams they hold open."""

    def __init__(self, folder: Path) -> None:
        self._store = CounterStore(folder)
        self._counters: dict[str, Callable[[float], None]] = {}

    def observe(self, rule: str, method: str, status: int, seconds: float) -> None:
        """Counts a response by its route as in the OpenAPI document: `/v1/coins/{coin}`.

        Call it before the response is sent, so that its receiver finds it counted.
        """
        self.counter(rule, method, status)(seconds)

    def counter(self, rule: str, method: str, status: int) -> Callable[[float], None]:
        """Returns a function that counts such responses by their seconds, in under 1 µs."""
        name = _name(rule, method, status // 100)
        # A race may create it twice; both count in the same place.
        found = self._counters.get(name)
        if found is None:
            found = self._counters[name] = self._store.counter(name)
        return found

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Counts an event stream while it is open."""
        self._store.listen(1)
        try:
            yield
        finally:
            self._store.listen(-1)

    def all(self) -> tuple[dict[Answered, DurationHistogram], int]:
        """Returns all responses, those of killed processes included, and the open streams."""
        times, listeners = self._store.all()
        return {_answered(name): found for name, found in times.items()}, listeners


def measure_requests(app: Flask, requests: RequestMetrics) -> None:
    """Counts the app's responses; middleware that answers instead must call `observe` itself.

    A stream counts once it begins.
    """

    def note_route(_: Flask, **__: Any) -> None:
        if request.url_rule is not None:
            request.environ[RULE] = openapi_path(request.url_rule.rule)

    # By a signal, since it precedes all hooks, one of which may refuse.
    request_started.connect(note_route, app, weak=False)
    app.wsgi_app = counted(app.wsgi_app, requests)  # type: ignore[assignment, method-assign]


def counted(answer: "WSGIApplication", requests: RequestMetrics) -> "WSGIApplication":
    """Wraps a WSGI application to count its responses by the route it leaves in the environment."""

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
def openapi_path(rule: str) -> str:
    """Converts Flask's route to the form of the OpenAPI document."""
    return PART.sub(r"{\1}", rule)


@lru_cache(maxsize=1024)
def _name(rule: str, method: str, status: int) -> str:
    return f"{method if method in METHODS else OTHER} {status}xx {rule}"


def _answered(name: str) -> Answered:
    if name.count(" ") != 2:
        return Answered(name, OTHER, OTHER)
    method, status, rule = name.split(" ")
    return Answered(rule, method, status)
