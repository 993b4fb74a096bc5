"""The Market page's cards."""

import pytest

from dash_ui.pages.market import cards
from tests.harness.page_data import coin


def test_the_first_coins_get_a_card_each() -> None:
    shown = cards.render([coin(f"Coin{n}") for n in range(5)], "usd")
    assert [card["name"] for card in shown] == ["Coin0 COI", "Coin1 COI", "Coin2 COI"]
    assert not any(card["hidden"] for card in shown)


def test_cards_without_a_coin_are_empty_and_hidden() -> None:
    first, *others = cards.render([coin()], "usd")
    assert not first["hidden"]
    assert len(others) == 2
    for card in others:
        assert card.pop("hidden")
        assert set(card.values()) == {""}


def test_a_card_says_price_change_and_how_far_to_trust_them() -> None:
    card = cards.render([coin(freshness="late")], "usd")[0]
    assert (card["price"], card["title"]) == ("$64,123.46", "$64,123.456")
    assert card["change"] == "▲ +1.23 % in 24 h"
    assert card["detail"] == "market cap $1.23 T · as of 2025-11-22 21:30:05 UTC, late"
    assert cards.render([coin()], "usd")[0]["detail"].endswith("UTC")


@pytest.mark.parametrize(
    ("change", "colour"),
    [(1.2, "koinx-up"), (-1.2, "koinx-down"), (0.0, ""), (-0.004, ""), (None, "")],
)
def test_a_change_is_coloured_by_its_direction(change: float | None, colour: str) -> None:
    card = cards.render([coin(change_24h=change)], "usd")[0]
    assert card["class"] == f"koinx-card-change {colour}"


def test_every_output_gets_a_value() -> None:
    shown = cards.render([coin()], "usd")
    assert [set(card) for card in shown] == [set(card) for card in cards.OUTPUTS]
