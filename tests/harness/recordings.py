"""Replies that CoinGecko and CoinPaprika really gave: whole where they are at hand, else excerpts.

tests/data/recorded has at most 20 rows or 100 points of each shape and oddity, and their sources.
"""

from settings import ROOT

_WHOLE = ROOT.parent / "shared" / "data"
WHOLE = _WHOLE.is_dir()
COINGECKO, COINPAPRIKA = (
    (_WHOLE if WHOLE else ROOT / "tests" / "data" / "recorded") / name
    for name in ("coingecko", "coinpaprika")
)
