"""What KoinX is working on, as the API reports it: updates, readiness and gap repairs."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any

import requests
from pydantic import AwareDatetime, TypeAdapter

from api_client.client import Client, Number, Update

HOPS = (
    *("published", "streamed", "received", "started", "claimed"),
    *("fetched", "stored", "merged", "finished"),
)
"""The steps of an update, in order."""


@dataclass(frozen=True, slots=True)
class Readiness:
    """The next scheduled update, the dependencies that are not ready, and the unread events."""

    next_slot: AwareDatetime
    faults: Mapping[str, str]
    pending_events: int | None


@dataclass(frozen=True, slots=True)
class Repairs:
    """How many gap repairs are in each state; `progress` is the finished share from 0 to 1, or
    None without repairs."""

    waiting: int
    running: int
    done: int
    failed: int
    progress: Number | None


@dataclass(frozen=True, slots=True)
class Activity:
    """The newest updates, the readiness for the next one, and the repairs."""

    updates: list[Update]
    readiness: Readiness
    repairs: Repairs


READINESS, REPAIRS = TypeAdapter(Readiness), TypeAdapter(Repairs)


def read_activity(client: Client, count: int) -> Activity:
    """The current activity with the newest `count` updates; ApiError if the API fails."""
    # With 503, /ready reports what is not ready: that is an answer, not a failure.
    also = (requests.codes.service_unavailable,)
    return Activity(
        client.updates(count),
        client.read("/ready", _readiness, also=also),
        client.read("/v1/repairs/progress", REPAIRS.validate_python),
    )


def _readiness(body: Mapping[str, Any]) -> Readiness:
    faults = {
        name: dependency["error"] or "is not ready"
        for name, dependency in body["dependencies"].items()
        if not dependency["ready"]
    }
    return READINESS.validate_python({**body, "faults": faults})


def durations(hops: Mapping[str, datetime]) -> list[tuple[str, float]]:
    """Each hop with the seconds since the hop before; the first hop only starts the clock.

    The clocks of two machines may differ, so a duration is never negative.
    """
    reached = [(name, hops[name]) for name in HOPS if name in hops]
    return [
        (name, max(0.0, (at - before).total_seconds()))
        for (_, before), (name, at) in pairwise(reached)
    ]


def total(hops: Mapping[str, datetime]) -> float | None:
    """Seconds from the first hop to the last; None with fewer than two hops."""
    steps = durations(hops)
    return sum(seconds for _, seconds in steps) if steps else None


def seconds(duration: float) -> str:
    """A short duration: "3 ms", "1.2 s", "75 s"."""
    if duration < 1:
        return f"{duration * 1000:.0f} ms"
    return f"{duration:.1f} s" if duration < 10 else f"{duration:.0f} s"
