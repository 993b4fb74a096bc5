"""Loggers that need no set-up."""

import threading

import pytest
from structlog.contextvars import get_contextvars

import logs


def test_without_set_up_it_is_a_plain_logger(caplog: pytest.LogCaptureFixture) -> None:
    log = logs.get("tests.lines")
    log.warning("held", coin="bitcoin")
    log.debug("not shown at this level")
    assert caplog.messages == ["held"]
    assert caplog.records[0].__dict__["coin"] == "bitcoin"


def test_what_a_line_is_about_ends_with_its_block_or_is_wiped() -> None:
    with logs.about(update="one"):
        assert get_contextvars() == {"update": "one"}
        others: list[object] = []
        thread = threading.Thread(target=lambda: others.append(get_contextvars()))
        thread.start()
        thread.join()
        assert others == [{}], "another thread is about something else"
    assert get_contextvars() == {}
    logs.note(update="two")
    logs.wipe()
    assert get_contextvars() == {}
