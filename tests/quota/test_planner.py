"""The calls that a selection and a schedule need, and what is refused."""

from datetime import timedelta

import pytest

from quota.planner import Budget, Rate, budget_error, calls_per_update, rate
from settings.coin_selection import parse_coins
from settings.model import Settings

QUARTERS = "*/15 * * * *"
DEMO = Budget.of("demo", None, None)


@pytest.mark.parametrize(
    ("coins", "calls"),
    [
        ("bitcoin,ethereum,matic-network,top:100", 2),
        ("bitcoin", 1),
        ("top:250", 1),
        ("top:251", 2),
        ("top:10000", 40),
        (",".join(f"coin-{n}" for n in range(251)), 2),
    ],
)
def test_a_call_brings_250_coins(coins: str, calls: int) -> None:
    assert calls_per_update(parse_coins(coins)) == calls


@pytest.mark.parametrize(
    ("schedule", "per_minute", "per_month"),
    [
        (QUARTERS, 1, 2976),
        ("*/10 * * * * *", 6, 267_840),
        ("0 0 * * *", 1, 31),
        ("0,30 0 * * * *", 2, 1488),
    ],
)
def test_a_schedule_fires_so_often(schedule: str, per_minute: int, per_month: float) -> None:
    found = rate(schedule)
    assert found.per_minute == per_minute
    assert found.per_month == pytest.approx(per_month, rel=0.01)


def test_the_defaults_fit_every_plan() -> None:
    made = Settings()
    for plan in (None, "demo", "pro"):
        budget = Budget.of(plan, None, None)
        assert budget_error(made.selection, made.cron_schedule, budget) is None
    assert budget_error(parse_coins("bitcoin,ethereum,top:250"), QUARTERS, DEMO) is None


def test_what_cannot_be_met_is_refused_with_the_arithmetic() -> None:
    assert budget_error(parse_coins("top:10000"), QUARTERS, DEMO) == (
        "the top 10,000 every 15 minutes need more calls than the source allows: 40 calls per "
        "update (one per 250 coins) x 2,976 updates are 40 calls a minute, or 2 minutes per "
        "update, and 119,040 in 31 days; the source allows 30 calls a minute and 10,000 a month "
        "(COINGECKO_CALLS_PER_MINUTE, COINGECKO_CALLS_PER_MONTH). Use top:750 with this "
        "CRON_SCHEDULE, or these coins with CRON_SCHEDULE=0 */4 * * * (every 4 hours)"
    )


def test_an_update_may_take_minutes_but_not_until_the_next() -> None:
    # Given 80 calls, of which 30 may be made in a minute
    everything, limited = parse_coins("top:20000"), Budget(30, None)
    # Then three turns of a little over a minute fit into 15 minutes, and not into 3
    assert limited.duration(80) == timedelta(minutes=3, seconds=45)
    assert budget_error(everything, QUARTERS, limited) is None
    told = budget_error(everything, "*/3 * * * *", limited)
    assert told is not None
    assert (
        "are 80 calls a minute, or 4 minutes per update; the source allows 30 calls a minute"
        in told
    )
    # and 5 calls a minute bring 15,000 coins
    assert budget_error(parse_coins("top:15000"), QUARTERS, Budget(5, None)) is None
    told = budget_error(everything, QUARTERS, Budget(5, None))
    assert told is not None
    assert told.endswith("these coins with CRON_SCHEDULE=*/20 * * * * (every 20 minutes)")


def test_the_nearest_that_fits_does_fit() -> None:
    # Given what only a slower schedule brings within the month
    coins = parse_coins("bitcoin,top:5000")
    told = budget_error(coins, QUARTERS, DEMO)
    assert told is not None
    assert told.endswith(
        "top:500 with this CRON_SCHEDULE, or these coins with CRON_SCHEDULE=0 */2 * * * "
        "(every 2 hours)"
    )
    # Then
    assert budget_error(parse_coins("bitcoin,top:500"), QUARTERS, DEMO) is None
    assert budget_error(parse_coins("bitcoin,top:750"), QUARTERS, DEMO) is not None
    assert budget_error(coins, "0 */2 * * *", DEMO) is None
    assert budget_error(coins, "0 * * * *", DEMO) is not None


def test_a_limit_that_nothing_meets_says_so() -> None:
    told = budget_error(parse_coins("top:500"), "*/10 * * * * *", Budget(1, 10))
    assert told is not None
    assert told.endswith("Use fewer coins, or a larger plan")


def test_a_limit_that_is_given_goes_before_the_plans() -> None:
    assert Budget.of("demo", 100, None) == Budget(100, 10_000)
    assert Budget.of(None, None, 5000) == Budget(5, 5000)
    assert not Budget(10, None).allows(2, Rate(6, 1.0, timedelta(seconds=10)))


def test_a_source_on_this_machine_has_no_limit() -> None:
    local = "http://127.0.0.1:8899/api/v3"
    assert Settings(coins="top:20000", coingecko_api_url=local).budget is None
    assert Settings(coins="top:20000", market="demo").budget is None
    assert Settings().budget == Budget(5, None)


def test_a_source_on_this_machine_has_the_limits_that_are_given() -> None:
    given = Settings(coins="top:20000", market="demo", coingecko_calls_per_minute=30)
    assert given.budget == Budget(30, None)
    given = Settings(coins="top:250", market="demo", coingecko_calls_per_month=5000)
    assert given.budget == Budget(100_000, 5000)


def test_settings_that_need_too_many_calls_do_not_load() -> None:
    with pytest.raises(
        ValueError, match=r"119,040 in 31 days; the source allows 30 calls a minute"
    ):
        Settings(coins="top:10000", coingecko_plan="demo", coingecko_api_key="CG-x")  # type: ignore[arg-type]
