"""Rows and columns of the Market page's table."""

from dash_ui.pages.market import table
from tests.harness.page_data import coin, never


def test_every_column_finds_its_texts_in_a_row() -> None:
    row = table.row(coin(), "usd")
    for column in table.COLUMNS:
        assert {column["field"], column["tooltipField"]} <= set(row)
        if "valueFormatter" in column:
            assert column["valueFormatter"]["function"].removeprefix("params.data.") in row


def test_only_the_coin_is_searched() -> None:
    searched = {c["field"] for c in table.COLUMNS if len(str(c["getQuickFilterText"])) > 20}
    assert searched == {"name"}


def test_a_row_holds_the_numbers_to_sort_by_beside_the_texts_to_read() -> None:
    row = table.row(coin(), "eur")
    assert (row["price"], row["price_text"], row["price_exact"]) == (
        64123.456,
        "€64,123.46",
        "€64,123.456",
    )
    assert (row["share"], row["share_text"], row["evidence"]) == (0.5, "0.50 %", "37 of 100 prices")
    assert (row["age"], row["freshness"], row["age_text"]) == (12.3, "● fresh", "12 s")
    assert row["recorded"] == "as of 2025-11-22 21:30:05 UTC, stored 2025-11-22 21:30:07 UTC"


def test_what_is_missing_is_none_to_sort_by_and_not_available_to_read() -> None:
    row = table.row(never("New"), "usd")
    numbers = ("rank", "price", "change", "cap", "share", "age")
    assert [row[name] for name in numbers] == [None] * 6
    texts = ("rank_text", "price_text", "change_exact", "cap_exact", "share_text")
    assert [row[name] for name in texts] == ["n/a"] * 5


def test_a_coin_that_is_gone_says_so() -> None:
    row = table.row(coin("Matic", state="retired", successor="polygon"), "usd")
    assert row["note"] == "retired"
    assert row["title"] == "Matic, MAT, replaced by polygon"
    assert table.row(coin(), "usd")["note"] == ""


def test_the_table_is_as_high_as_its_rows_and_fits_the_window() -> None:
    assert table.style(3) == {"height": "min(174px, 72vh)"}
