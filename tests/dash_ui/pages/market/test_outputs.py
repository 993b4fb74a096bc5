"""The values of the Market page's outputs: after an answer, and while there is none."""

from datetime import timedelta
from typing import Any

from dash import no_update

from api_client.client import ApiError, Coin, Update
from dash_ui.pages.market import outputs
from tests.harness.page_data import AS_OF, coin, never, update

NOW = AS_OF + timedelta(seconds=90)
DOWN = ApiError("The API does not answer.", "Start it.")


def _shown(
    coins: list[Coin], newest: Update | None = None, trouble: ApiError | None = None
) -> dict[str, Any]:
    return outputs.render(coins, newest, trouble, now=NOW, unit="share", currency="usd")


def test_every_output_gets_a_value() -> None:
    for values in (_shown([]), _shown([coin()]), outputs.render_outage(DOWN, NOW, None)):
        assert set(values) == set(outputs.OUTPUTS)


def test_numbers_are_as_of_the_newest_coin() -> None:
    older = coin("Pepe", as_of=AS_OF - timedelta(hours=1), age_seconds=3_600.0)
    values = _shown([older, coin(), never("New")], update())
    assert values["as_of"] == "Prices as of 2025-11-22 21:30:05 UTC"
    assert values["age"] == " (12 s ago)"
    assert [row["id"] for row in values["rows"]] == ["pepe", "bitcoin", "new"]
    assert [card["hidden"] for card in values["cards"]] == [False, False, True]
    assert (values["alert"], values["data"], values["figure_box"]) == (True, False, False)


def test_before_the_first_quote_there_is_no_chart_and_no_time() -> None:
    values = _shown([never("New")])
    assert (values["as_of"], values["age"]) == ("", "")
    assert all(bar["hidden"] for bar in values["figure"])
    assert values["figure_box"]
    assert not values["alert"]
    assert not values["data"]
    assert _shown([])["data"]


def test_the_source_is_named_where_it_is_the_source() -> None:
    real, made_up = _shown([coin()]), _shown([coin(source="simulator")])
    assert (real["source"], real["simulated"]) == (False, True)
    assert (made_up["source"], made_up["simulated"]) == (True, False)


def test_coins_are_shown_even_if_the_newest_update_is_not_known() -> None:
    values = _shown([coin()], trouble=DOWN)
    assert values["update"] == "The API does not answer."
    assert len(values["rows"]) == 1


def test_an_outage_keeps_what_was_read_and_says_how_old_it_is() -> None:
    values = outputs.render_outage(DOWN, NOW, AS_OF.isoformat())
    assert values["rows"] is no_update
    assert values["data"] is no_update
    assert values["data_class"] == "koinx-old"
    assert values["as_of"] == "Last read at 2025-11-22 21:30:05 UTC, 1 min ago."
    assert values["alert_what"] == "The API does not answer."
    assert values["alert_next"] == (
        "Start it. Retrying automatically. Showing the last known data, read at "
        "2025-11-22 21:30:05 UTC."
    )


def test_an_outage_from_the_start_has_nothing_to_keep() -> None:
    values = outputs.render_outage(DOWN, NOW, None)
    assert values["as_of"] == "No data yet."
    assert values["alert_next"] == "Start it. Retrying automatically."
