"""Cursors: what is given out is taken back, and nothing else."""

from base64 import urlsafe_b64encode
from datetime import UTC, datetime

import pytest
from marshmallow import ValidationError

from api.pagination import Cursor, CursorParam

AT = datetime(2026, 11, 22, 8, 30, 1, 250000, tzinfo=UTC)


def encoded(text: str) -> str:
    return urlsafe_b64encode(text.encode()).decode().rstrip("=")


@pytest.mark.parametrize("coin", ["bitcoin", "odd coin", "a:b", "東京" * 64, "\U0001f4a9" * 128])
def test_a_cursor_comes_back_as_it_was(coin: str) -> None:
    cursor = Cursor(coin, AT)
    assert CursorParam().deserialize(str(cursor)) == cursor


@pytest.mark.parametrize(
    "value",
    [
        "",
        "next",
        str(Cursor("x" * 2000, AT)),
        "9" * 5000,
        "\0",
        "é",
        str(Cursor("bitcoin", AT)) + "=",
        str(Cursor("bitcoin", AT)) + " ",
        str(Cursor("bitcoin", AT))[:-1],
        encoded("bitcoin"),
        encoded("NaN:bitcoin"),
        encoded("01:bitcoin"),
        encoded("0:bitcoin"),
        encoded("-1:bitcoin"),
        encoded(f"{10**17}:bitcoin"),
        encoded(f"{'9' * 500}:bitcoin"),
        encoded("٣:bitcoin"),
        urlsafe_b64encode(b"1763800200000:\xff").decode().rstrip("="),
    ],
)
def test_what_was_not_given_out_is_named(value: str) -> None:
    with pytest.raises(ValidationError, match="is not a valid cursor: take the one in the Link"):
        CursorParam().deserialize(value)
