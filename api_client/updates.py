"""What the API says of its own work: the last updates, what is due next, and the repairs."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any

import requests

from api_client.client import Client

HOPS = (
    *("published", "streamed", "received", "started", "claimed"),
    *("fetched", "stored", "merged", "finished"),
)


@dataclass(frozen=True, slots=True)
class Run:
    """An update of the ledger; `progress` is a share from 0 to 1, `hops` says when each was
    reached."""

    id: str
    trigger: str
    state: str
    stage: str
    progress: float
    received_at: datetime
    finished_at: datetime | None
    hops: Mapping[str, datetime]
    counts: Mapping[str, int]
    error: str | None


@dataclass(frozen=True, slots=True)
class Readiness:
    """When the next update is due, why not all is ready, and how many events nobody has taken."""

    next_slot: datetime
    faults: Mapping[str, str]
    pending_events: int | None


@dataclass(frozen=True, slots=True)
class Repairs:
    """How many repairs are in each state; `progress` is the share that ended, from 0 to 1, or
    None where there is none."""

    waiting: int
    running: int
    done: int
    failed: int
    progress: float | None


@dataclass(frozen=True, slots=True)
class Work:
    """All of it, at one moment."""

    runs: list[Run]
    readiness: Readiness
    repairs: Repairs


def read(client: Client, count: int) -> Work:
    """The work now, with the last `count` updates; ApiError where the API gives no answer."""
    query = {"page": "1", "page_size": str(count)}
    # Its answer that something is missing is the answer that is wanted.
    also = (requests.codes.service_unavailable,)
    return Work(
        client.read("/v1/updates", lambda rows: [_run(row) for row in rows][:count], query),
        client.read("/ready", _readiness, also=also),
        client.read("/v1/repairs/progress", _repairs),
    )


def _run(row: Mapping[str, Any]) -> Run:
    return Run(
        id=row["id"],
        trigger=row["trigger"],
        state=row["state"],
        stage=row["stage"],
        progress=float(row["progress"]),
        received_at=_time(row["received_at"]),
        finished_at=_time(row["finished_at"]) if row["finished_at"] else None,
        hops={name: _time(at) for name, at in row["hops"].items()},
        counts=row["counts"],
        error=row["error"],
    )


def _readiness(body: Mapping[str, Any]) -> Readiness:
    dependencies: Mapping[str, Mapping[str, Any]] = body["dependencies"]
    return Readiness(
        next_slot=_time(body["next_slot"]),
        faults={
            name: one["error"] or "is not ready"
            for name, one in dependencies.items()
            if not one["ready"]
        },
        pending_events=body["pending_events"],
    )


def _repairs(body: Mapping[str, Any]) -> Repairs:
    return Repairs(
        waiting=int(body["waiting"]),
        running=int(body["running"]),
        done=int(body["done"]),
        failed=int(body["failed"]),
        progress=None if body["progress"] is None else float(body["progress"]),
    )


def _time(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError(f"{text!r} is a time without its zone")
    return at


def durations(reached: Mapping[str, datetime]) -> list[tuple[str, float]]:
    """The hops reached, each with the seconds since the one before; the first is where it began.

    Clocks of two machines may differ: a hop never takes less than nothing.
    """
    known = [(name, reached[name]) for name in HOPS if name in reached]
    return [
        (name, max(0.0, (at - before).total_seconds()))
        for (_, before), (name, at) in pairwise(known)
    ]


def total(reached: Mapping[str, datetime]) -> float | None:
    """Seconds from the first hop to the last; None before there are two."""
    steps = durations(reached)
    return sum(took for _, took in steps) if steps else None


def seconds(took: float) -> str:
    """A short time: "3 ms", "1.2 s", "75 s"."""
    if took < 1:
        return f"{took * 1000:.0f} ms"
    return f"{took:.1f} s" if took < 10 else f"{took:.0f} s"
