"""What the API says of its own work, over real HTTP."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from werkzeug.wrappers import Request, Response

from api_client import updates
from api_client.client import ApiError, Client
from tests.harness.hops import reached
from tests.harness.http_replies import Serve, serve

__all__ = ["serve"]

AT = "2026-11-23T02:00:00+00:00"
UPDATE: dict[str, Any] = {
    "id": "u1",
    "trigger": "schedule",
    "state": "running",
    "stage": "fetching",
    "progress": 0.4,
    "slot": AT,
    "received_at": AT,
    "finished_at": None,
    "hops": {"streamed": AT},
    "counts": {"asked": 3},
    "error": None,
}
READY: dict[str, Any] = {
    "next_slot": AT,
    "dependencies": {"redis": {"ready": False, "error": None}, "nats": {"ready": True}},
    "pending_events": None,
}
REPAIRS = {"waiting": 1, "running": 0, "done": 3, "failed": 0, "progress": 0.75}


def answering(
    update: dict[str, Any] = UPDATE, ready: tuple[Any, int] = (READY, 503)
) -> dict[str, tuple[Any, int]]:
    return {
        "/v1/updates": ([update], 200),
        "/ready": ready,
        "/v1/repairs/progress": (REPAIRS, 200),
    }


def client(serve: Serve, answers: dict[str, tuple[Any, int]]) -> Client:
    def answer(request: Request) -> Response:
        body, status = answers[request.path]
        return Response(json.dumps(body), status, mimetype="application/json")

    return Client(serve(answer))


def test_updates_readiness_and_repairs_also_while_something_is_missing(serve: Serve) -> None:
    found = updates.read_activity(client(serve, answering()), 6)
    at = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
    assert found.updates[0].hops == {"streamed": at}
    assert found.updates[0].progress == 0.4
    assert found.readiness == updates.Readiness(at, {"redis": "is not ready"}, None)
    assert found.repairs == updates.Repairs(1, 0, 3, 0, 0.75)


@pytest.mark.parametrize(
    "answers",
    [
        answering(update={}),
        answering(update=UPDATE | {"received_at": "2026-11-23T02:00:00"}),
        answering(update=UPDATE | {"progress": "half"}),
        answering(ready=({"message": "too many wait"}, 503)),
        answering(ready=(READY, 500)),
    ],
)
def test_what_is_no_such_answer_is_one_kind_of_error(
    serve: Serve, answers: dict[str, tuple[Any, int]]
) -> None:
    with pytest.raises(ApiError):
        updates.read_activity(client(serve, answers), 6)


def test_each_hop_takes_what_lies_between_it_and_the_one_before() -> None:
    way = reached(finished=5.5, published=0, streamed=0.5, fetched=1.5)
    assert updates.durations(way) == [("streamed", 0.5), ("fetched", 1), ("finished", 4)]
    assert updates.total(way) == 5.5


def test_a_clock_that_is_behind_makes_no_negative_hop() -> None:
    way = reached(published=2, streamed=1, finished=3)
    assert updates.durations(way) == [("streamed", 0), ("finished", 2)]


@pytest.mark.parametrize("way", [{}, reached(streamed=0)])
def test_one_hop_alone_took_no_time(way: dict[str, datetime]) -> None:
    assert updates.total(way) is None


@pytest.mark.parametrize(
    ("took", "text"), [(0.0004, "0 ms"), (0.25, "250 ms"), (1.25, "1.2 s"), (75, "75 s")]
)
def test_a_short_time(took: float, text: str) -> None:
    assert updates.seconds(took) == text
