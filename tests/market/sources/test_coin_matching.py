"""Which coin is which: by symbol and name, never when there is a doubt."""

import json
from typing import Any

import pytest

from market.sources.coin_matching import SHARED, UNLISTED, match_coins
from tests.harness.recordings import COINGECKO, WHOLE


def named(*names: tuple[Any, Any]) -> list[dict[str, Any]]:
    return [
        {"id": f"{number}-{name}", "symbol": symbol, "name": name}
        for number, (symbol, name) in enumerate(names)
    ]


def test_the_same_symbol_and_name_in_whatever_case_are_one_coin() -> None:
    rows = named(("BTC", "Bitcoin"), ("NEAR", "Near  Protocol "), ("ETH", "Ether"))
    coins = dict(
        zip(
            ("bitcoin", "near", "ethereum"),
            named(("btc", "Bitcoin"), ("near", "NEAR Protocol"), ("eth", "Ethereum")),
            strict=True,
        )
    )
    assert match_coins(rows, coins, rows) == ({"bitcoin": rows[0], "near": rows[1]}, {})


def test_two_of_theirs_or_two_of_ours_are_nobody_s() -> None:
    two_rows = named(("A", "a"), ("a", "A"), ("B", "b"))
    ours = dict(enumerate(named(("a", "a"), ("b", "b"), ("B", "B"))))
    coins = {str(number): one for number, one in ours.items()}
    assert match_coins(two_rows, coins, two_rows) == ({}, dict.fromkeys("012", SHARED))


def test_what_another_listed_coin_claims_without_a_row_is_nobody_s() -> None:
    rows = named(("LUNA", "Terra"), ("BTC", "Bitcoin"))
    coins = {"terra-luna-2": rows[0], "bitcoin": rows[1]}
    another = {"id": "luna-terra-v2", "symbol": "luna", "name": " terra"}
    found, doubts = match_coins(rows, coins, [*rows, another])
    assert (found, doubts) == ({"bitcoin": rows[1]}, {"terra-luna-2": SHARED})
    # Nor is a row that the list does not know, or knows as another's
    assert match_coins(rows, coins, [another, rows[1]])[1] == {"terra-luna-2": UNLISTED}
    assert match_coins(rows, coins, [rows[1]])[1] == {"terra-luna-2": UNLISTED}
    assert match_coins(rows, coins, [])[0] == {}


@pytest.mark.parametrize("missing", [None, "", " ", 1, [], "\u2003"])
def test_without_a_symbol_or_a_name_nothing_matches(missing: Any) -> None:
    for names in ((missing, "a"), ("a", missing)):
        assert match_coins(named(names), {"a": named(names)[0]}, named(names)) == ({}, {})


def test_of_the_recorded_list_a_symbol_and_name_are_one_coin_s_but_for_a_few() -> None:
    file = COINGECKO / "coins_list_2025-08-03.json"
    listed = json.loads(file.read_text())
    coins = {one["id"]: one for one in listed}
    found, ambiguous = match_coins(listed, coins, listed)
    assert all(found[coin]["id"] == coin for coin in found)
    assert len(found) > (0.95 if WHOLE else 0.85) * len(listed)
    assert {"beam", "beam-2"} <= set(ambiguous)
