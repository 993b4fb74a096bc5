"""How far an update is."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from api.schemas.updates import current_run, progress, stopped_before

NOW = datetime.now(UTC)


def running(**run: Any) -> dict[str, Any]:
    return {"state": "running", "fence": 2, "run": {"fence": 2, "share": 0, **run}}


@pytest.mark.parametrize(
    ("update", "stage", "share"),
    [
        ({"state": "received"}, "waiting", 0),
        ({"state": "received", "not_before": None}, "waiting", 0),
        ({"state": "received", "not_before": NOW + timedelta(days=1)}, "postponed", 0),
        ({"state": "received", "not_before": NOW - timedelta(minutes=1)}, "waiting", 0),
        ({"state": "running", "fence": 1}, "fetching", 0),
        (running(stage="fetching", share=0.5), "fetching", 0.4),
        (running(stage="storing"), "storing", 0.8),
        ({"state": "done"}, "ended", 1),
        ({"state": "failed"}, "ended", 1),
        ({"state": "missed"}, "ended", 1),
    ],
)
def test_each_stage_has_its_share(update: dict[str, Any], stage: str, share: float) -> None:
    assert progress(update)[0] == stage
    assert progress(update)[1] == pytest.approx(share)


def test_what_an_earlier_run_said_is_not_told_of_this_one() -> None:
    update = running(stage="storing", counts={"asked": 3})
    assert current_run(update)["counts"] == {"asked": 3}
    update["fence"] = 3
    assert current_run(update) == {}
    assert progress(update) == ("fetching", 0)
    assert current_run(running(stage="storing") | {"state": "done"}) == {}


@pytest.mark.parametrize(
    ("update", "hop"),
    [
        ({"state": "received"}, "started"),
        ({"state": "received", "not_before": NOW + timedelta(days=1)}, "fetched"),
        (running(stage="fetching"), "fetched"),
        (running(stage="storing"), "stored"),
        ({"state": "done"}, None),
        ({"state": "failed"}, "fetched"),
        ({"state": "missed"}, "published"),
        (
            {"state": "missed", "hops": dict.fromkeys(("published", "streamed", "received"))},
            "started",
        ),
    ],
)
def test_where_it_stopped(update: dict[str, Any], hop: str | None) -> None:
    assert stopped_before({"hops": {}, **update}) == hop
