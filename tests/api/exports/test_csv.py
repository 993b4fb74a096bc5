"""Quotes as CSV: RFC 4180, and no formula for a spreadsheet."""

import csv

import pytest

from api.exports import csv as comma_separated
from api.exports.columns import names
from market.storage.quote_history import Record
from tests.harness.export_data import records

NAMES = names(repaired=False)
[PLAIN] = records("bitcoin", 1)


def text(*found: Record) -> str:
    return b"".join(comma_separated.encode(iter(found), NAMES)).decode()


def test_a_header_then_a_line_for_each_in_the_form_of_rfc_4180() -> None:
    record = PLAIN._replace(price=0.1 + 0.2, market_cap=8.5e11, change_24h=-1e-07, volume_24h=None)
    assert text(record) == (
        "coin,at,price,market_cap,change_24h,volume_24h,source,recorded_at\r\n"
        "bitcoin,2026-11-20T00:00:00.000Z,0.30000000000000004,850000000000.0,-1e-07,,simulator,"
        "2026-11-20T00:01:01.000Z\r\n"
    )


def test_the_header_comes_with_the_first_lines_and_once() -> None:
    first, second = comma_separated.encode(records("bitcoin", 2049), NAMES)
    assert first.startswith(b"coin,at,price,")
    assert second.count(b"\r\n") == 1
    assert second.startswith(b"bitcoin,2026-11-20T00:00:00.000Z,100.0,")


def test_nothing_is_a_header() -> None:
    assert text() == ",".join(NAMES) + "\r\n"


@pytest.mark.parametrize(
    "coin",
    [
        *("=1+1", "+1", "-6", "@SUM(A1)", "\t=1", "\r=1", "\n=1"),
        *("\uff1d1", "\uff0b1", "\uff0d6", "\uff201", "'-6", "'", "''=1"),
    ],
)
def test_a_formula_is_text_and_the_id_can_be_had_back(coin: str) -> None:
    [_, line] = csv.reader(text(PLAIN._replace(coin=coin, source=coin)).splitlines(keepends=True))
    assert line[0] == line[6] == "'" + coin
    assert line[0].removeprefix("'") == coin


@pytest.mark.parametrize(
    "coin", ["bitcoin", "0-6", "a=1", "a,b", 'a"b', "a'b", " =1", "ünï", "\u0661"]
)
def test_other_ids_stay_as_they_are(coin: str) -> None:
    [_, line] = csv.reader(text(PLAIN._replace(coin=coin)).splitlines(keepends=True))
    assert line[0] == coin


def test_numbers_are_untouched() -> None:
    record = PLAIN._replace(coin="-6", change_24h=-6.0)
    [_, line] = csv.reader(text(record).splitlines())
    assert line[4] == "-6.0"
