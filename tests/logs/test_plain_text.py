"""Lines for people."""

from logs.plain_text import for_people


def test_fields_for_people() -> None:
    event = {"time": "T", "level": "info", "event": "done", "a": None, "b": "", "pid": 7}
    assert for_people(event) == 'T info    done  a=null b=""'


def test_what_has_spaces_is_quoted_and_a_traceback_comes_below() -> None:
    event = {"event": "failed", "why": 'no "room"', "exception": "Traceback\nOSError"}
    assert for_people(event).splitlines() == [
        '         failed  why="no \\"room\\""',
        "Traceback",
        "OSError",
    ]
