"""The columns of an exported file, in their order."""

COLUMNS = {
    "coin": "The coin's id at the source",
    "at": "The source's own time of the quote, UTC, to the millisecond",
    "price": "In the collection's currency; the file's name says it: `koinx_live_usd` has dollars",
    "market_cap": "In the same currency; missing where the source gave none",
    "change_24h": "Change of the price within 24 hours, percent; may be missing",
    "volume_24h": "The source's rolling total of 24 hours, in the same currency; may be missing. "
    "Never add these up",
    "source": "Who gave the quote: `coingecko`, or `simulator` in a demo",
    "recorded_at": "When the quote was stored here, UTC",
    "resolution": "Only with `include=repaired`: seconds between the points of the history that a "
    "repaired quote was taken from; missing for one that was recorded in its time",
}
REPAIRED_ONLY = "resolution"


def names(*, repaired: bool) -> tuple[str, ...]:
    """The columns of a file; `resolution`, the last, only with repaired quotes among them."""
    return tuple(name for name in COLUMNS if repaired or name != REPAIRED_ONLY)
