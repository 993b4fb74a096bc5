"""Quotes as NDJSON."""

import json

from api.exports import ndjson
from api.exports.columns import names
from tests.harness.export_data import records, repaired

[PLAIN] = records("=bitcoin", 1)


def test_an_object_a_line() -> None:
    record = repaired(PLAIN._replace(price=0.1 + 0.2, market_cap=None, change_24h=-1.0))
    lines = b"".join(ndjson.encode(iter([record, PLAIN]), names(repaired=True))).splitlines()
    first, second = map(json.loads, lines)
    assert first == {
        "coin": "=bitcoin",
        "at": "2026-11-20T00:00:00.000Z",
        "price": 0.30000000000000004,
        "market_cap": None,
        "change_24h": -1.0,
        "volume_24h": PLAIN.volume_24h,
        "source": "simulator",
        "recorded_at": "2026-11-20T00:01:01.000Z",
        "resolution": 300,
    }
    assert list(first) == list(names(repaired=True))
    assert second["resolution"] is None


def test_all_lines_end_and_chunks_end_with_lines() -> None:
    chunks = list(ndjson.encode(records("bitcoin", 2049), names(repaired=False)))
    assert [chunk.count(b"\n") for chunk in chunks] == [2048, 1]
    assert all(chunk.endswith(b"}\n") for chunk in chunks)
