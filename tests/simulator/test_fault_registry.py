"""The fault book: each fault strikes as often as it says."""

from threading import Thread

import pytest

from simulator.fault_registry import FaultBook
from simulator.faults import Cut, Frozen, NullPrice, Price, Retired, Slow


def test_a_fault_strikes_as_often_as_it_says() -> None:
    book = FaultBook([Slow(delay=0, times=2), Cut()])
    kinds = [fault and fault.kind for fault in (book.take("/x") for _ in range(4))]
    assert kinds == ["slow", "slow", "cut", None]


def test_the_times_left_are_shown() -> None:
    book = FaultBook([Slow(delay=0, times=2)])
    book.take("/x")
    assert [entry["times"] for entry in book.document()] == [1]


def test_a_fault_without_end_lasts_until_cleared() -> None:
    book = FaultBook([Cut(times=None)])
    assert all(book.take("/x") for _ in range(50))
    book.clear()
    assert book.take("/x") is None
    assert book.document() == []


@pytest.mark.parametrize(
    ("wanted", "path", "struck"),
    [
        ("/coins/markets", "/api/v3/coins/markets", True),
        ("/api/v3/coins/markets", "/coins/markets", True),
        ("/coins", "/coins/bitcoin/market_chart", True),
        ("/coins/markets", "/coins/list", False),
        ("/simple", "/api/v3/ping", False),
        (None, "/ping", True),
    ],
)
def test_a_path_is_matched_by_its_beginning(wanted: str | None, path: str, struck: bool) -> None:
    assert (FaultBook([Cut(path=wanted)]).take(path) is not None) == struck


def test_no_time_is_used_twice_by_threads_at_once() -> None:
    book = FaultBook([Cut(times=500)])
    taken: list[object] = []

    def take() -> None:
        taken.extend(fault for fault in (book.take("/x") for _ in range(200)) if fault)

    threads = [Thread(target=take) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken) == 500


def test_coin_faults_add_up_and_the_newest_of_a_kind_counts() -> None:
    book = FaultBook([Price(coin="a", value=1), Frozen(coin="a")], now=5)
    before = book.coins()
    book.add([Price(coin="a", value=2), NullPrice(coin="b"), Retired(coin="c")], now=9)
    faults = book.coins()
    assert faults.price == {"a": 2}
    assert len(book.document()) == 4
    assert faults.frozen == {"a": 5}
    assert faults.null_price == {"b"}
    assert faults.retired == {"c"}
    assert before.price == {"a": 1}
    book.add([Frozen(coin="a")], now=12)
    assert book.coins().frozen == {"a": 12}
    book.clear()
    assert book.coins().frozen == {}


def test_stamps_are_never_the_same() -> None:
    book = FaultBook()
    assert [book.stamp(now) for now in (10, 10, 9, 50, 50)] == [10, 11, 12, 50, 51]
