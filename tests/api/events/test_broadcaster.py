"""The feed: what ended, in order, for all who listen at one process."""

import signal
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import orjson
import pytest
from pymongo import MongoClient

from api.events import broadcaster as api_feed
from api.events.broadcaster import MAX_LISTENERS, Broadcaster
from api.events.update_waiters import AtCapacity
from bench.harness.services import freeze, server, wait_until
from market.ledger.event_log import EventLog
from market.ledger.ledger import Ledger
from market.storage.database import Document, prepare
from tests.harness.broadcaster import closings, end, feed, following
from tests.harness.event_log import slots

__all__ = ["closings", "feed"]

LONG = 20.0


def all_after(feed: Broadcaster, number: int, count: int) -> list[int]:
    """The numbers of the next events, as a listener gets them, who asks again after nothing."""
    found: list[int] = []
    given_up = time.monotonic() + LONG
    while len(found) < count:
        assert time.monotonic() < given_up, found
        events = feed.after(found[-1] if found else number, LONG)
        found += [event.number for event in events]
    return found


def test_what_ends_is_told_at_once_when_there_is_news(
    feed: Broadcaster, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api_feed, "CHECK_SECONDS", LONG)
    with feed.place(), ThreadPoolExecutor(1) as threads:
        assert feed.start(None) == (0, None)
        waiting = threads.submit(feed.after, 0, LONG)
        end(ledger, "a")
        while not waiting.done():  # the news before it looked for the first time is no news
            feed.wake()
        [event] = waiting.result()
    assert event.number == 1
    fields = dict(line.split(b": ", 1) for line in event.text.splitlines() if line)
    assert (fields[b"id"], fields[b"event"]) == (b"1", b"update")
    update = orjson.loads(fields[b"data"])
    assert (update["id"], update["state"], update["number"]) == ("a", "done", 1)
    assert (update["source"], update["progress"]) == ("simulator", 1)
    assert "left_out" not in update


def test_what_ends_is_told_though_the_news_is_lost(feed: Broadcaster, ledger: Ledger) -> None:
    with feed.place():
        end(ledger, "a")
        assert all_after(feed, 0, 1) == [1]
        end(ledger, "b", "failed")
        ledger.enter_missed(slots(2))
        assert all_after(feed, 1, 3) == [2, 3, 4]
        assert feed.after(4, 0.05) == []


def test_each_listener_has_all_from_where_it_begins(feed: Broadcaster, ledger: Ledger) -> None:
    ledger.enter_missed(slots(3))
    with feed.place(), ThreadPoolExecutor(3) as threads:
        waiting = [threads.submit(all_after, feed, n, 5 - n) for n in range(3)]
        end(ledger, "a")
        end(ledger, "b")
        assert [one.result() for one in waiting] == [[1, 2, 3, 4, 5], [2, 3, 4, 5], [3, 4, 5]]


def test_whoever_falls_far_behind_has_all_the_same(
    feed: Broadcaster, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a memory and pages that are small
    monkeypatch.setattr(api_feed, "BATCH_SIZE", 3)
    feed._recent = type(feed._recent)(maxlen=4)
    monkeypatch.setattr(api_feed, "MAX_EVENTS", 4)
    with feed.place():
        assert feed.after(0, 0.05) == []
        # When more ends than is kept
        ledger.enter_missed(slots(20))
        assert all_after(feed, 19, 1) == [20]
        # Then
        assert [event.number for event in feed.after(16, LONG)] == [17, 18, 19, 20]
        assert [event.number for event in feed.after(15, LONG)] == [16, 17, 18]
        assert all_after(feed, 0, 20) == list(range(1, 21))


def test_an_update_that_was_opened_again_is_told_when_it_ends_again(
    feed: Broadcaster, ledger: Ledger
) -> None:
    # Given
    end(ledger, "a")
    end(ledger, "b", "failed")
    ledger.reopen("b", failed=True)
    with feed.place():
        # When, then
        [first, opened] = feed.after(0, LONG)
        assert (first.number, opened.number, opened.text) == (1, 2, b"")
        end(ledger, "b")
        [again] = feed.after(2, LONG)
        assert again.number == 3
        # ... and whoever was at its old place goes on
        assert [event.number for event in feed.after(1, LONG)] == [3]


def test_where_a_listener_begins(feed: Broadcaster, ledger: Ledger) -> None:
    assert feed.start(None) == (0, None)
    ledger.enter_missed(slots(4))
    assert feed.start(None) == (4, None)
    assert feed.start(0) == (0, None)
    assert feed.start(4) == (4, None)
    assert feed.start(9) == (4, "There is no event 9 yet: the newest is 4")


def test_a_listener_that_was_away_for_long_is_told_what_is_left_out(
    feed: Broadcaster, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api_feed, "MAX_REPLAYED", 3)
    ledger.enter_missed(slots(7))
    assert feed.start(4) == (4, None)
    assert feed.start(1) == (4, "Only the newest 3 are sent, not 2 to 4")


def test_only_so_many_listen_and_a_place_is_free_again(feed: Broadcaster) -> None:
    with ExitStack() as places:
        for _ in range(MAX_LISTENERS):
            places.enter_context(feed.place())
        with (
            pytest.raises(AtCapacity, match="200 clients are listening"),
            feed.place(),
        ):
            pass
    with feed.place():
        pass


def test_the_ledger_is_followed_while_somebody_listens_by_one_thread(
    feed: Broadcaster, ledger: Ledger
) -> None:
    assert following() == []
    for name in ("a", "b"):
        with feed.place(), feed.place():
            assert len(following()) == 1
            number, _ = feed.start(None)
            end(ledger, name)
            assert all_after(feed, number, 1) == [number + 1]
        wait_until(lambda: not following(), "the thread to end")


def test_an_update_that_cannot_be_written_holds_the_feed_up_but_does_not_end_it(
    feed: Broadcaster, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api_feed, "encode", None)
    with feed.place():
        assert feed.after(0, 0.05) == []
        end(ledger, "a")
        assert feed.after(0, 0.2) == []
        monkeypatch.undo()
        assert all_after(feed, 0, 1) == [1]


def test_nobody_follows_the_ledger_a_moment_longer_than_somebody_listens(
    feed: Broadcaster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api_feed, "CHECK_SECONDS", LONG)
    with feed.place():
        wait_until(lambda: feed._last is not None, "it to have looked")
    wait_until(lambda: not following(), "the thread to end", 5)


def test_everybody_is_sent_away_at_the_end(feed: Broadcaster) -> None:
    with feed.place(), ThreadPoolExecutor(2) as threads:
        waiting = [threads.submit(feed.after, 0, LONG) for _ in range(2)]
        feed.end()
        assert [one.result(1) for one in waiting] == [[], []]
        assert feed.ended


def test_a_database_that_is_frozen_ends_no_stream(tmp_path: Path) -> None:
    with server("mongodb", tmp_path) as (url, process):
        patient: MongoClient[Document] = MongoClient(url, tz_aware=True)
        hasty: MongoClient[Document] = MongoClient(url, tz_aware=True, timeoutMS=300)
        # Given two that listen, of whom one is behind
        prepare(patient["koinx"])
        ledger = Ledger(patient["koinx"])
        ledger.enter_missed(slots(1))
        feed = Broadcaster(EventLog(hasty["koinx"]), "simulator")
        with feed.place(), ThreadPoolExecutor(1) as threads:
            assert all_after(feed, 0, 1) == [1]
            # When
            freeze(process)
            assert feed.after(0, LONG) == []
            waiting = threads.submit(all_after, feed, 1, 1)
            process.send_signal(signal.SIGCONT)
            # Then
            end(ledger, "a")
            assert waiting.result() == [2]
            assert all_after(feed, 0, 2) == [1, 2]
        wait_until(lambda: not following(), "its thread to end")
        patient.close()
        hasty.close()
