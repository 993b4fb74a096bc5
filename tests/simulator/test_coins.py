"""Which coins the made-up market has: well-known ones, odd ones and made-up ones."""

from simulator.coins import UNUSUAL, WELL_KNOWN, coins_of
from simulator.market import Market
from simulator.rows import Query

NOW = 1_795_383_000_123


def test_what_is_written_down_comes_first_and_the_rest_is_made_up() -> None:
    written = [line.split("|")[0] for line in (WELL_KNOWN + UNUSUAL).splitlines()]
    ids = {coin.id for coin in coins_of(1, 300)}
    assert len(set(written)) == len(written) < 300
    assert set(written) < ids
    assert len(ids) == 300
    assert {coin.id for coin in coins_of(1, len(written))} == set(written)


def test_coins_stand_by_market_cap_and_those_without_one_come_last_and_unranked() -> None:
    coins = coins_of(1, 1_000)
    caps = [coin.cap for coin in coins]
    assert caps == sorted(caps, reverse=True)
    assert 0.0 in caps
    for coin in coins:
        assert (coin.rank is None) == (coin.wrapped or not coin.cap)
        assert (coin.wide_rank is None) == (not coin.cap)


def test_twenty_thousand_coins_have_ids_of_their_own() -> None:
    market = Market(coins=20_000)
    assert len({coin.id for coin in market.coins}) == 20_000
    symbols = [coin.symbol for coin in market.coins]
    assert len(set(symbols)) < len(symbols)
    assert len(market.markets(Query(per_page=250, page=79), NOW)) == 250
