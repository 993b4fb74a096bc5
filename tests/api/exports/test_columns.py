"""The columns of a file, which others rely on."""

from api.exports.columns import names

COLUMNS = ("coin", "at", "price", "market_cap", "change_24h", "volume_24h", "source", "recorded_at")


def test_their_order_is_a_promise() -> None:
    assert names(repaired=False) == COLUMNS
    assert names(repaired=True) == (*COLUMNS, "resolution")
