"""What the Servers page shows of updates and repairs."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from dash import no_update

from api_client.client import Update
from api_client.updates import Activity, Readiness, Repairs
from dash_ui.pages.servers import updates
from tests.harness.hops import reached
from tests.harness.servers_data import NOW, an_update

READINESS = Readiness(NOW + timedelta(minutes=1), {}, 0)


def shown(*runs: Update, repairs: Repairs | None = None) -> dict[str, Any]:
    found = Activity(list(runs), READINESS, repairs or Repairs(0, 0, 0, 0, None))
    return updates.render(found, NOW)


def test_the_last_updates_and_the_progress_of_the_one_under_way() -> None:
    under_way = an_update(
        id="u2", state="running", stage="fetching", progress=0.4, finished_at=None
    )
    found = shown(under_way, an_update())
    assert (found["running"], found["running_hidden"]) == ("0.40", False)
    assert [row["title"] for row in found["runs"]] == ["u2", "u1", "", "", "", ""]
    assert [row["hidden"] for row in found["runs"]] == [False, False, True, True, True, True]
    assert found["runs"][1]["hops"] == "finished 250 ms"
    assert found["runs"][1]["style"]["background"].startswith("linear-gradient")


def test_before_the_first_update_and_the_first_repair() -> None:
    found = shown()
    assert not found["none"]
    assert found["running_hidden"]
    assert found["repairs_hidden"]


def test_how_far_the_repairs_are() -> None:
    found = shown(an_update(), repairs=Repairs(1, 0, 3, 0, 0.75))
    assert (found["repaired"], found["repairs_hidden"]) == ("0.7500", False)


def test_an_outage_leaves_what_was_read_and_says_that_it_is_old() -> None:
    found = updates.render_outage("The API does not answer.")
    assert found["due"] == "The API does not answer. Showing the last known data."
    assert set(found) == set(updates.OUTPUTS)
    assert all(value is no_update for row in found["runs"] for value in row.values())


def test_each_hop_has_its_time() -> None:
    way = reached(finished=5.5, published=0, streamed=0.003, fetched=1.5)
    assert updates.hop_times(way) == "streamed 3 ms · fetched 1.5 s · finished 4.0 s"


def test_the_bar_s_stripes_fill_it_in_that_proportion() -> None:
    way = reached(streamed=0, received=1, fetched=4)
    assert updates.hop_bar(way) == (
        "linear-gradient(to right, "
        "var(--koinx-hop-received) 0.00% 25.00%, var(--koinx-hop-fetched) 25.00% 100.00%)"
    )


@pytest.mark.parametrize("way", [{}, reached(streamed=0), reached(streamed=0, received=0)])
def test_no_bar_before_there_is_a_hop_that_took_time(way: dict[str, datetime]) -> None:
    assert updates.hop_bar(way) == "none"
