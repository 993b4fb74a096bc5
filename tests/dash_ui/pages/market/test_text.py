"""What the Market page says of coins and updates."""

import pytest

from api_client.client import Coin, Update
from dash_ui.pages.market import text
from tests.harness.page_data import coin, never, update


@pytest.mark.parametrize(
    ("newest", "said"),
    [
        (None, "No update yet."),
        (
            update(state="failed", counts=None, error="CoinGecko answered 500"),
            "Last update failed at 2025-11-22 21:30:08 UTC: CoinGecko answered 500",
        ),
        (
            update(state="failed", counts=None),
            "Last update failed at 2025-11-22 21:30:08 UTC: no reason given",
        ),
        (
            update(state="missed", finished_at=None, counts=None),
            "The update due at 2025-11-22 21:30:05 UTC did not run.",
        ),
        (
            update(),
            "Last update at 2025-11-22 21:30:08 UTC: 98 new quotes, 2 coins skipped.",
        ),
        (
            update(state="running", finished_at=None, counts=None),
            "Update running since 2025-11-22 21:30:05 UTC.",
        ),
    ],
)
def test_the_newest_update_is_told_by_its_state(newest: Update | None, said: str) -> None:
    assert text.last_update(newest) == said


FAILED = update(state="failed", counts=None, error="no network")
STALE = coin(freshness="stale", age_seconds=3 * 3_600)


@pytest.mark.parametrize(
    ("known", "newest", "last", "what", "cure"),
    [
        ([coin()], 12.3, update(), "", ""),
        ([coin(), STALE], 12.3, update(), "", ""),
        ([], None, None, "No quotes stored yet.", "Press Refresh now to fetch the first ones, "),
        (
            [],
            None,
            FAILED,
            "No quotes stored yet. Last update failed at",
            "Press Refresh now to fetch",
        ),
        (
            [STALE],
            10_800,
            FAILED,
            "All prices are stale: the newest is 3 h old.",
            "Press Refresh now, and",
        ),
        (
            [coin()],
            12.3,
            FAILED,
            "The last update failed: no network",
            "The next scheduled update tries again",
        ),
    ],
)
def test_the_gravest_concern_is_named_with_its_cure(
    known: list[Coin], newest: float | None, last: Update | None, what: str, cure: str
) -> None:
    said = text.concern(known, newest, last)
    assert said[0].startswith(what)
    assert said[1].startswith(cure)
    assert bool(said[0]) == bool(what)


def test_coins_are_counted_by_freshness_the_freshest_first() -> None:
    coins = [never("New"), coin(), STALE, coin("Pepe")]
    assert text.count(coins) == "4 coins: 2 fresh, 1 stale, 1 without a quote"
    assert text.count(coins[1:2]) == "1 coin: 1 fresh"


@pytest.mark.parametrize(
    ("state", "successor", "said"),
    [
        ("active", None, ""),
        ("retired", None, ", retired"),
        ("retired", "polygon", ", replaced by polygon"),
        ("missing", None, ", no longer listed by the source"),
    ],
)
def test_what_became_of_a_coin(state: str, successor: str | None, said: str) -> None:
    assert text.fate(coin(state=state, successor=successor)) == said
