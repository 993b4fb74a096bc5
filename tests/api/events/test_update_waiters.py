"""Requests that wait for an update."""

import threading
from contextlib import ExitStack

import pytest

from api.events.update_waiters import MAX_WAITERS, TooMany, Waiting, until_closed


def test_news_ends_the_wait_at_once() -> None:
    waiting = Waiting()
    update = {"finished_at": None}
    with waiting.place("one") as news:

        def end() -> None:
            update["finished_at"] = "now"  # type: ignore[assignment]
            waiting.tell("one")

        waiting.tell("another")
        assert not news.is_set()
        thread = threading.Timer(0.05, end)
        thread.start()
        assert until_closed(lambda: update, news, 60) is update
        thread.join()


def test_without_news_the_ledger_is_looked_at() -> None:
    looks: list[None] = []

    def look() -> dict[str, str | None]:
        looks.append(None)
        return {"finished_at": "now" if len(looks) == 2 else None}

    with Waiting().place("one") as news:
        assert until_closed(look, news, 60) == {"finished_at": "now"}


def test_the_wait_has_an_end() -> None:
    with Waiting().place("one") as news:
        assert until_closed(lambda: None, news, 0.05) is None


@pytest.mark.row("overload")
def test_only_so_many_wait_and_a_place_is_free_again() -> None:
    waiting = Waiting()
    with ExitStack() as places:
        for number in range(MAX_WAITERS):
            places.enter_context(waiting.place(str(number)))
        with pytest.raises(TooMany, match="16 requests are waiting"), waiting.place("more"):
            pass
    with waiting.place("more"):
        pass
