"""Requests that wait for an update."""

import threading
from contextlib import ExitStack

import pytest

from api.events.update_waiters import (
    MAX_WAITING_REQUESTS,
    AtCapacity,
    UpdateWaiters,
    wait_until_finished,
)


def test_news_ends_the_wait_at_once() -> None:
    waiting = UpdateWaiters()
    update = {"finished_at": None}
    with waiting.place("one") as news:

        def end() -> None:
            update["finished_at"] = "now"  # type: ignore[assignment]
            waiting.notify("one")

        waiting.notify("another")
        assert not news.is_set()
        thread = threading.Timer(0.05, end)
        thread.start()
        assert wait_until_finished(lambda: update, news, 60) is update
        thread.join()


def test_without_news_the_ledger_is_looked_at() -> None:
    looks: list[None] = []

    def look() -> dict[str, str | None]:
        looks.append(None)
        return {"finished_at": "now" if len(looks) == 2 else None}

    with UpdateWaiters().place("one") as news:
        assert wait_until_finished(look, news, 60) == {"finished_at": "now"}


def test_the_wait_has_an_end() -> None:
    with UpdateWaiters().place("one") as news:
        assert wait_until_finished(lambda: None, news, 0.05) is None


@pytest.mark.row("overload")
def test_only_so_many_wait_and_a_place_is_free_again() -> None:
    waiting = UpdateWaiters()
    with ExitStack() as places:
        for number in range(MAX_WAITING_REQUESTS):
            places.enter_context(waiting.place(str(number)))
        with pytest.raises(AtCapacity, match="16 requests are waiting"), waiting.place("more"):
            pass
    with waiting.place("more"):
        pass
