"""Logs as people read them."""

import json

import pytest

from logs.parser import readable

OURS = {
    "time": "2026-11-22T08:30:00.123Z",
    "level": "info",
    "event": "claimed",
    "process": "worker",
}
MONGOD = {
    "t": {"$date": "2026-11-22T08:30:00.123+00:00"},
    "s": "W",
    "c": "NETWORK",
    "msg": "Slow query",
    "attr": {"ms": 120},
}


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        (json.dumps(OURS | {"fence": 3}), ["2026-11-22T08:30:00.123Z info    claimed  fence=3"]),
        (
            json.dumps(OURS | {"exception": "Traceback\nValueError: x"}),
            ["2026-11-22T08:30:00.123Z info    claimed", "Traceback", "ValueError: x"],
        ),
        (json.dumps(MONGOD), ["2026-11-22T08:30:00.123+00:00 warning Slow query  ms=120"]),
        (json.dumps(OURS)[:-5], [json.dumps(OURS)[:-5]]),
        ('{"table": 1}', ['{"table": 1}']),
        ("simulator listens on http://127.0.0.1:1", ["simulator listens on http://127.0.0.1:1"]),
        ("", [""]),
    ],
)
def test_json_is_made_readable_and_all_else_left(line: str, shown: list[str]) -> None:
    assert readable(line) == shown
