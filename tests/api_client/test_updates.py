"""What the API says of its own work, over real HTTP."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from werkzeug.wrappers import Request, Response

from api_client import updates
from api_client.client import ApiError, Client
from tests.api_client.test_client import Serve, serve

__all__ = ["serve"]

AT = "2026-11-23T02:00:00+00:00"
RUN: dict[str, Any] = {
    "id": "u1",
    "trigger": "schedule",
    "state": "running",
    "stage": "fetching",
    "progress": 0.4,
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
    run: dict[str, Any] = RUN, ready: tuple[Any, int] = (READY, 503)
) -> dict[str, tuple[Any, int]]:
    return {
        "/v1/updates": ([run], 200),
        "/ready": ready,
        "/v1/repairs/progress": (REPAIRS, 200),
    }


def client(serve: Serve, answers: dict[str, tuple[Any, int]]) -> Client:
    def answer(request: Request) -> Response:
        body, status = answers[request.path]
        return Response(json.dumps(body), status, mimetype="application/json")

    return Client(serve(answer))


def test_updates_readiness_and_repairs_also_while_something_is_missing(serve: Serve) -> None:
    found = updates.read(client(serve, answering()), 6)
    at = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
    assert found.runs[0].hops == {"streamed": at}
    assert found.runs[0].progress == 0.4
    assert found.readiness == updates.Readiness(at, {"redis": "is not ready"}, None)
    assert found.repairs == updates.Repairs(1, 0, 3, 0, 0.75)


@pytest.mark.parametrize(
    "answers",
    [
        answering(run={}),
        answering(run=RUN | {"received_at": "2026-11-23T02:00:00"}),
        answering(run=RUN | {"progress": "half"}),
        answering(ready=({"message": "too many wait"}, 503)),
        answering(ready=(READY, 500)),
    ],
)
def test_what_is_no_such_answer_is_one_kind_of_error(
    serve: Serve, answers: dict[str, tuple[Any, int]]
) -> None:
    with pytest.raises(ApiError):
        updates.read(client(serve, answers), 6)
