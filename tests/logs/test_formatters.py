"""Formatting log records, and showing log files to people."""

import json
import logging
from typing import Any

import pytest

import logs
from logs import redaction
from logs.formatters import formatter, plain_line, readable
from logs.redaction import UNPRINTABLE


class Lines(logging.Handler):
    """Keeps what the formatter makes of each record."""

    def __init__(self, **options: Any) -> None:
        super().__init__()
        self.setFormatter(formatter("test", **options))
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(self.format(record))


@pytest.fixture
def logger() -> logging.Logger:
    made = logging.getLogger("tests.formatting")
    made.setLevel(logging.INFO)
    return made


def one(logger: logging.Logger, handler: Lines) -> str:
    """The only line, and no part of it that begins another."""
    logger.removeHandler(handler)
    [text] = handler.texts
    return text


def test_records_of_ours_and_of_libraries_become_the_same_json(logger: logging.Logger) -> None:
    found = []
    for write in (
        lambda: logs.get(logger.name).warning("it fails", fence=3),
        lambda: logger.warning("it %s", "fails", extra={"fence": 3}),
    ):
        handler = Lines()
        logger.addHandler(handler)
        with logs.about(update="2026-11-22T08:30Z"):
            write()
        line = json.loads(one(logger, handler))
        assert list(line)[:3] == ["time", "level", "event"]
        assert line.pop("time").endswith("Z")
        found.append(line)
    assert found[0] == found[1]
    assert {key: found[0][key] for key in ("event", "level", "fence", "update", "process")} == {
        "event": "it fails",
        "level": "warning",
        "fence": 3,
        "update": "2026-11-22T08:30Z",
        "process": "test",
    }


def test_a_traceback_is_part_of_its_line_and_masked(logger: logging.Logger) -> None:
    redaction.know(["hunter2"])
    handler = Lines()
    logger.addHandler(handler)
    error = RuntimeError("mongodb://koinx:other@db and hunter2")
    try:
        raise error
    except RuntimeError:
        logger.exception("failed\nin two lines")
    text = one(logger, handler)
    assert "\n" not in text
    assert "hunter2" not in text
    line = json.loads(text)
    assert line["exception"].endswith("RuntimeError: mongodb://…@db and …")
    assert line["event"] == "failed\nin two lines"


def test_values_that_json_cannot_represent_are_written_as_text(logger: logging.Logger) -> None:
    handler = Lines()
    logger.addHandler(handler)
    logger.warning("x", extra={"what": {1}})
    assert json.loads(one(logger, handler))["what"] == "{1}"


def test_on_a_terminal_it_is_plain(logger: logging.Logger) -> None:
    handler = Lines(plain=True)
    logger.addHandler(handler)
    logs.get(logger.name).warning("it fails", why="no room", count=2)
    text = one(logger, handler)
    assert text.split("Z ")[1].startswith('warning it fails  logger=tests.formatting why="no room"')
    assert text.endswith("count=2")


@pytest.mark.parametrize("plain", [False, True])
@pytest.mark.row("escape-sequences")
def test_no_line_contains_terminal_control_characters(
    logger: logging.Logger, plain: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    handler = Lines(plain=plain)
    logger.addHandler(handler)
    # What pytest captures goes from process to process, and a lone surrogate cannot.
    monkeypatch.setattr(logger, "propagate", False)
    hostile = "\x1b[2J\x9b31m\x07\r\u202e\u2028\x85\x7f\ud800\U000e0041"
    error = ValueError(hostile)
    try:
        raise error
    except ValueError:
        logs.get(logger.name).exception(hostile, **{hostile: hostile})
    text = one(logger, handler)
    assert UNPRINTABLE.search(text) is None
    assert text.encode().isascii()
    if not plain:
        line = json.loads(text)
        assert (line["event"], line[hostile]) == (hostile, hostile)


def test_a_plain_line_lists_the_fields() -> None:
    event = {"time": "T", "level": "info", "event": "done", "a": None, "b": "", "pid": 7}
    assert plain_line(event) == 'T info    done  a=null b=""'


def test_values_with_spaces_are_quoted_and_a_traceback_follows() -> None:
    event = {"event": "failed", "why": 'no "room"', "exception": "Traceback\nOSError"}
    assert plain_line(event).splitlines() == [
        '         failed  why="no \\"room\\""',
        "Traceback",
        "OSError",
    ]


OURS = {
    "time": "2026-11-22T08:30:00.123Z",
    "level": "info",
    "event": "update claimed",
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
        (
            json.dumps(OURS | {"fence": 3}),
            ["2026-11-22T08:30:00.123Z info    update claimed  fence=3"],
        ),
        (
            json.dumps(OURS | {"exception": "Traceback\nValueError: x"}),
            ["2026-11-22T08:30:00.123Z info    update claimed", "Traceback", "ValueError: x"],
        ),
        (json.dumps(MONGOD), ["2026-11-22T08:30:00.123+00:00 warning Slow query  ms=120"]),
        (json.dumps(OURS)[:-5], [json.dumps(OURS)[:-5]]),
        ('{"table": 1}', ['{"table": 1}']),
        ("simulator listens on http://127.0.0.1:1", ["simulator listens on http://127.0.0.1:1"]),
        ("", [""]),
    ],
)
def test_json_becomes_plain_text_and_other_lines_stay(line: str, shown: list[str]) -> None:
    assert readable(line) == shown
