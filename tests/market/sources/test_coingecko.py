"""The CoinGecko client over real HTTP: the simulator's answers, good and bad."""

import gzip
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
import requests
from pymongo.database import Database

from bench.harness.services import SimulatorControl, free_port, keep
from market.sources.coingecko import MAX_BYTES, CoinGecko, parse_chart
from market.sources.fetch import fetch
from market.sources.http import ATTEMPTS, Deadline, SourceError
from market.storage.database import Document
from market.storage.quote_store import QuoteStore
from tests.harness.wire import Wire, wire

SLACK = 1.5  # seconds beyond a deadline: what a test machine may add


@contextmanager
def client(url: str, **options: Any) -> Iterator[CoinGecko]:
    made = CoinGecko(url, **options)
    try:
        yield made
    finally:
        made.close()


def failure(source: CoinGecko, seconds: float = 2.0) -> SourceError:
    """How a call fails; it has to within its deadline."""
    started = time.monotonic()
    with pytest.raises(SourceError) as raised:
        source.markets("usd", deadline=Deadline(seconds), per_page=5)
    assert time.monotonic() - started < seconds + SLACK
    return raised.value


@pytest.fixture
def left(simulator: SimulatorControl) -> Callable[[], int]:
    """How many times the one scripted fault has yet to strike."""

    def times() -> int:
        with requests.get(f"{simulator.url}/simulator/faults", timeout=5) as answer:
            return sum(fault["times"] for fault in answer.json())

    return times


def test_coins_by_id(source: CoinGecko) -> None:
    rows = source.markets("usd", ids=["ethereum", "no-such-coin", "bitcoin"], deadline=Deadline(5))
    assert {row["id"] for row in rows} == {"bitcoin", "ethereum"}


def test_ids_as_they_really_are_arrive(source: CoinGecko) -> None:
    odd = ["_", "-7", "2step token", "harbour-[old]"]
    rows = source.markets("usd", ids=odd, deadline=Deadline(5))
    assert {row["id"] for row in rows} == set(odd)


def test_the_greatest_coins_page_by_page(source: CoinGecko) -> None:
    pages = [
        source.markets("usd", page=page, per_page=20, deadline=Deadline(5)) for page in (1, 2, 99)
    ]
    assert [len(page) for page in pages] == [20, 20, 0]
    ranks = [row["market_cap_rank"] for page in pages for row in page]
    assert ranks == sorted(ranks)
    assert ranks[0] == 1


@pytest.mark.parametrize("plan", ["demo", "pro"])
def test_a_key_goes_as_the_header_of_its_plan_alone(plan: str) -> None:
    # Given
    with wire() as server, client(f"{server.url}/api/v3/", key="CG-hunter2", plan=plan) as source:
        # When
        source.markets("eur", ids=["a", "b"], deadline=Deadline(5))
        # Then
        (asked,) = server.requests
    line, *headers = asked.split("\r\n")
    assert line.startswith("GET /api/v3/coins/markets?vs_currency=eur&")
    assert "ids=a%2Cb " in f"{line} " or "ids=a%2Cb&" in line
    assert [header for header in headers if "hunter2" in header] == [
        f"x-cg-{plan}-api-key: CG-hunter2"
    ]
    assert "hunter2" not in line


def test_without_a_key_no_header_names_one() -> None:
    with wire() as server, client(server.url) as source:
        assert source.markets("usd", deadline=Deadline(5)) == []
    assert "x-cg" not in server.requests[0].lower()


@pytest.mark.parametrize("form", ["json", "html", "text"])
@pytest.mark.row("source-failing")
def test_too_many_calls_say_how_long_to_wait(
    simulator: SimulatorControl, source: CoinGecko, left: Callable[[], int], form: str
) -> None:
    # Given a wait that is longer than the deadline
    simulator.fault("rate_limited", retry_after=119, form=form, times=9)
    # When
    error = failure(source)
    # Then it is not asked again
    assert left() == 8
    assert error.retry_after == 119
    assert not error.permanent
    assert str(error).startswith("127.0.0.1 limits the calls (429), and asks to wait 119 s: ")
    assert "<" not in str(error)


def test_a_short_wait_is_kept_and_the_answer_is_good(
    simulator: SimulatorControl, source: CoinGecko
) -> None:
    simulator.fault("rate_limited", retry_after=1)
    started = time.monotonic()
    assert len(source.markets("usd", per_page=5, deadline=Deadline(10))) == 5
    assert time.monotonic() - started >= 1


@pytest.mark.parametrize("form", ["json", "html", "text"])
def test_too_many_calls_without_a_wait_are_tried_again(
    simulator: SimulatorControl, source: CoinGecko, form: str
) -> None:
    simulator.fault("rate_limited", retry_after=None, form=form)
    assert len(source.markets("usd", per_page=5, deadline=Deadline(5))) == 5


@pytest.mark.parametrize(
    ("header", "wait"),
    [("7200", 3600), ("soon", None), ("-5", None), ("1e3", None), ("Sun, 22 Nov 2026", None)],
)
def test_a_wait_that_cannot_be_is_none_and_a_long_one_is_bounded(
    header: str, wait: float | None
) -> None:
    limits = wire("429 Too Many Requests", {"Retry-After": header})
    with limits as server, client(server.url) as source:
        assert failure(source, 0.3).retry_after == wait


@pytest.mark.parametrize(("minutes", "wait"), [(2, 120), (-2, 0), (90, 3600)])
def test_a_wait_may_be_given_as_the_time_of_its_end(minutes: int, wait: float) -> None:
    end = format_datetime(datetime.now(UTC) + timedelta(minutes=minutes), usegmt=True)
    limits = wire("429 Too Many Requests", {"Retry-After": end})
    with limits as server, client(server.url) as source:
        assert failure(source, 0.3).retry_after == pytest.approx(wait, abs=5)


@pytest.mark.parametrize("status", [500, 502, 503, 504])
@pytest.mark.row("source-failing")
def test_a_server_error_is_tried_again(
    simulator: SimulatorControl, source: CoinGecko, status: int
) -> None:
    simulator.fault("server_error", status=status)
    assert len(source.markets("usd", per_page=5, deadline=Deadline(5))) == 5


def test_a_lasting_server_error_is_told_in_plain_words(
    simulator: SimulatorControl, source: CoinGecko, left: Callable[[], int]
) -> None:
    simulator.fault("server_error", status=503, times=99)
    error = failure(source, 10)
    assert left() == 99 - ATTEMPTS
    assert str(error).startswith("127.0.0.1 answered 503: api.coingecko.com | 503: Service")
    assert "<" not in str(error)
    assert not error.permanent


@pytest.mark.parametrize(
    ("fault", "fields", "message"),
    [
        ("slow", {"delay": 3}, "did not answer in time|did not finish its answer"),
        ("trickle", {"chunk": 4, "delay": 0.01}, "did not finish its answer in time"),
        ("cut", {"keep": 0.5}, "broke off its answer|could not be reached"),
        ("cut", {"keep": 0}, "broke off its answer|could not be reached"),
        ("body", {"body": "x" * (MAX_BYTES + 1)}, f"answered more than {MAX_BYTES} bytes"),
        ("body", {"body": "<html>Busy</html>"}, "answered no JSON .*<html>Busy"),
        ("body", {"body": ""}, "answered no JSON"),
        ("body", {"body": "[" * 100_000}, "answered no JSON"),
        ("body", {"body": '[{"id": "bitcoin"}, {"id'}, "answered no JSON"),
    ],
)
@pytest.mark.row("source-failing")
def test_an_answer_that_is_no_use_ends_in_time_with_its_reason(
    simulator: SimulatorControl, source: CoinGecko, fault: str, fields: dict[str, Any], message: str
) -> None:
    simulator.fault(fault, times=99, **fields)
    with pytest.raises(SourceError, match=f"127.0.0.1 ({message})"):
        raise failure(source, 0.6)


@pytest.mark.parametrize("fault", [{"kind": "cut"}, {"kind": "body", "body": "<html>"}])
def test_an_answer_that_was_broken_once_is_asked_for_again(
    simulator: SimulatorControl, source: CoinGecko, fault: dict[str, str]
) -> None:
    simulator.fault(**fault)
    assert len(source.markets("usd", per_page=5, deadline=Deadline(5))) == 5


@pytest.mark.row("bad-row")
@pytest.mark.parametrize(
    ("bad", "coin", "reason"),
    [
        (b'"current_price": NaN', "bad", "its price is nan"),
        (b'"current_price": 1e400', "bad", "its price is inf"),
        (b'"current_price": ' + b"9" * 5000, "bad", "its price is inf"),
        (b'"current_price": "12"', "bad", "its price is '12'"),
        (b'"current_price": 1.', "bad", "its row is not valid JSON"),
        (b'"a": ' + b"[" * 5000 + b"]" * 5000, "bad", "its row is not valid JSON"),
        (b'"id": "b\xff"', r"'b\udcff'", "its id is not 1 to 128 printable characters"),
        (b'"id": "\\ud800"', r"'\ud800'", "its id is not 1 to 128 printable characters"),
        (b'"id": "b\\u0000"', r"'b\x00'", "its id is not 1 to 128 printable characters"),
    ],
)
def test_of_a_page_with_one_bad_row_the_other_249_are_quotes(
    bad: bytes, coin: str, reason: str
) -> None:
    good = b'"current_price": 1.5, "last_updated": "2026-11-22T08:30:00Z"'
    rows = [b'{"id": "coin-%d", %s}' % (number, good) for number in range(249)]
    rows.insert(100, b'{"id": "bad", %s, %s}' % (good, bad))
    with wire(body=b"[" + b", ".join(rows) + b"]") as one, client(one.url) as source:
        found = fetch(source, [{"page": 1}], "usd")
    assert (len(found.quotes), found.failures) == (249, [])
    (left_out,) = found.skipped
    assert left_out.coin == coin
    assert left_out.reason.startswith(reason)


def test_a_text_that_mongodb_cannot_store_is_stored_without_its_bad_characters(
    database: Database[Document], store: QuoteStore
) -> None:
    # Given surrogates, a byte that is not UTF-8, and control characters in every text
    texts = [b'"\\ud83d x"', b'"\xff x"', b'"\\u0000 x"', b'"\x1b x"', '"\u200d x"'.encode()]
    rows = [
        b'{"id": "coin-%d", "current_price": 1, "last_updated": "2026-11-22T08:30:00Z", '
        b'"name": %s, "symbol": %s, "image": %s}' % (number, text, text, text)
        for number, text in enumerate(texts)
    ]
    with wire(body=b"[" + b", ".join(rows) + b"]") as one, client(one.url) as source:
        quotes = fetch(source, [{"page": 1}], "usd").quotes
    # When
    keep(store, *quotes.values())
    # Then
    known = [store.coins()[f"coin-{number}"] for number in range(len(texts))]
    assert [one["name"] for one in known] == ["\ufffd x"] * 4 + ["\u200d x"]
    assert {one["image"] for one in known} == {None}
    assert database["quotes"].count_documents({}) == len(texts)


def test_a_chart_with_one_bad_point_keeps_the_others() -> None:
    body = b'{"prices": [[1790000000000, 1], [1790003600000, NaN], [1790007200000, 1e999]]}'
    with wire(body=body) as one, client(one.url) as source:
        reply = source.chart("bitcoin", "usd", days=1, deadline=Deadline(5))
    assert [point.price for point in parse_chart(reply, datetime.now(UTC))] == [1]


@pytest.mark.parametrize("body", [{"status": "ok"}, "coins", 7, None])
def test_json_that_is_no_list_is_refused(
    simulator: SimulatorControl, source: CoinGecko, body: Any
) -> None:
    simulator.fault("body", body=json.dumps(body))
    assert str(failure(source)) == f"127.0.0.1 answered no list of coins: {body}"


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (400, '{"status": {"error_code": 10010, "error_message": "Use pro"}}', "answered 400: Use"),
        (401, '{"error": {"status": {"error_message": "No key"}}}', r"refuses the key \(401\): No"),
        (403, "", r"refuses the key \(403\): an empty answer; see COINGECKO_API_KEY"),
        (404, '{"error": "coin not found"}', "answered 404: coin not found"),
        (422, '{"error": ["bad", "worse"]}', r"answered 422: \['bad', 'worse'\]"),
        (418, '{"status": 418, "error": "teapot"}', "answered 418: teapot"),
        (410, "[]", r"answered 410: \[\]"),
    ],
)
@pytest.mark.row("source-failing")
def test_what_asking_again_would_not_change_is_not_asked_again(
    simulator: SimulatorControl,
    source: CoinGecko,
    left: Callable[[], int],
    status: int,
    body: str,
    message: str,
) -> None:
    simulator.fault("body", body=body, status=status, times=9)
    error = failure(source)
    assert error.permanent
    assert left() == 8
    with pytest.raises(SourceError, match=f"127.0.0.1 {message}"):
        raise error


def test_a_long_error_is_cut_short_and_holds_no_control_characters(
    simulator: SimulatorControl, source: CoinGecko
) -> None:
    simulator.fault("body", status=400, body=json.dumps({"error": "\x1b[31m\n" + "x" * 5000}))
    error = str(failure(source))
    assert len(error) < 250
    assert error.isprintable()


def test_a_redirect_is_not_followed(simulator: SimulatorControl) -> None:
    location = f"{simulator.url}/api/v3/coins/markets?vs_currency=usd"
    with wire("302 Found", {"Location": location}, b"") as server, client(server.url) as source:
        error = failure(source)
    assert str(error) == "127.0.0.1 answered 302: an empty answer"
    assert error.permanent
    assert len(server.requests) == 1


@pytest.mark.row("source-failing")
def test_a_small_answer_that_unpacks_to_a_huge_one_is_refused() -> None:
    packed = gzip.compress(b" " * (20 * MAX_BYTES))
    answer = wire(headers={"Content-Encoding": "gzip"}, body=packed)
    with answer as server, client(server.url) as source:
        assert f"answered more than {MAX_BYTES} bytes" in str(failure(source, 0.6))


@pytest.mark.parametrize(
    "answer", [b"", b"\x00\xff\r\n", b"SSH-2.0-x\r\n", b"HTTP/1.1 2"], ids=["", "bytes", "ssh", "h"]
)
def test_what_speaks_no_http_is_said_in_plain_words(answer: bytes) -> None:
    server = Wire(answer)
    with client(server.url) as source:
        error = str(failure(source, 0.6))
    server.close()
    assert error.startswith("127.0.0.1 ")
    assert "Error(" not in error
    assert "object at 0x" not in error


def test_where_nothing_listens_it_could_not_be_reached() -> None:
    with client(f"http://127.0.0.1:{free_port()}") as source:
        error = failure(source, 0.6)
    assert str(error) == "127.0.0.1 could not be reached: Connection refused"
    assert not error.permanent


def test_a_host_that_has_no_address_is_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    with client("http://nowhere.invalid/api/v3") as source:
        error = failure(source, 1)
    assert str(error) in (
        "nowhere.invalid was not found: no internet connection, or no name service",
        "nowhere.invalid did not finish its answer within 1 s",  # a name service that is silent
    )


def test_after_the_deadline_nothing_is_asked(
    simulator: SimulatorControl, source: CoinGecko
) -> None:
    assert str(failure(source, 0)) == "127.0.0.1 was not asked: no time was left"
    with requests.get(f"{simulator.url}/simulator/served", timeout=5) as served:
        assert served.json()["rows"] == []


def test_a_deadline_counts_down_to_nothing() -> None:
    assert 4 < Deadline(5).remaining() <= 5
    assert Deadline(-1).remaining() == 0
