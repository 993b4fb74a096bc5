"""The simulator over real HTTP, compared with what CoinGecko was recorded to answer."""

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests

from simulator.__main__ import main
from simulator.admin import ServedLog
from simulator.app import create_simulator, now_ms
from simulator.faults import Fault, FaultRegistry, Frozen, NullPrice
from simulator.market import Market
from simulator.replay import Replay
from simulator.server import encode, serving
from simulator.timestamps import DAY, HOUR, iso
from tests.harness.recordings import COINGECKO

ROOT = Path(__file__).parents[2]
MARKETS = "/coins/markets?vs_currency=usd"
FAULTS = "/simulator/faults"


class Clock:
    """A present that a test sets."""

    def __init__(self) -> None:
        self.now = 1_795_383_000_123

    def __call__(self) -> int:
        return self.now


class Caller:
    """Calls the simulator as a client would, on one connection."""

    def __init__(self, url: str, session: requests.Session) -> None:
        self.url = url
        self.session = session

    def get(self, path: str, **headers: str) -> requests.Response:
        return self.session.get(self.url + path, headers=headers, timeout=10)

    def json(self, path: str) -> Any:
        response = self.get(path)
        assert response.status_code == 200, response.text
        return response.json()

    def fault(self, **fault: object) -> requests.Response:
        return self.session.post(self.url + FAULTS, json=[fault], timeout=10)

    def row(self, coin: str = "bitcoin", more: str = "") -> Any:
        (row,) = self.json(f"{MARKETS}&ids={coin}{more}")
        return row


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def simulator(clock: Clock) -> Iterator[Caller]:
    app = create_simulator(Market(), clock=clock)
    with serving(app) as url, requests.Session() as session:
        yield Caller(url, session)


def _recorded(name: str) -> Any:
    return json.loads((COINGECKO / name).read_bytes())


def _shape(value: object) -> object:
    """Keys, in their order, and types; a list is its first entry's shape."""
    if isinstance(value, dict):
        return [(key, _shape(inner)) for key, inner in value.items()]
    if isinstance(value, list):
        return [_shape(value[0])] if value else []
    return type(value).__name__


@pytest.mark.parametrize("prefix", ["", "/api/v3"])
@pytest.mark.parametrize(
    "path",
    [
        "/ping",
        MARKETS,
        "/simple/price?ids=bitcoin&vs_currencies=usd",
        "/coins/list",
        "/coins/bitcoin/market_chart?vs_currency=usd&days=1",
        "/coins/bitcoin/market_chart/range?vs_currency=usd&from=1795300000&to=1795310000",
    ],
)
def test_paths_answer_with_and_without_prefix(simulator: Caller, prefix: str, path: str) -> None:
    response = simulator.get(prefix + path)
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "application/json; charset=utf-8"
    assert response.json()


def test_connections_stay_open(simulator: Caller) -> None:
    with socket.create_connection(("127.0.0.1", int(simulator.url.rpartition(":")[2]))) as raw:
        reader = raw.makefile("rb")
        for _ in range(3):
            raw.sendall(b"GET /ping HTTP/1.1\r\nHost: x\r\n\r\n")
            assert reader.readline().startswith(b"HTTP/1.1 200")
            length = 0
            while (line := reader.readline()) != b"\r\n":
                if line.lower().startswith(b"content-length:"):
                    length = int(line.split(b":")[1])
            assert reader.read(length) == b'{"gecko_says":"(V3) To the Moon!"}'
        reader.close()


@pytest.mark.parametrize(
    ("path", "status", "recorded"),
    [
        ("/coins/markets", 422, "error_422_missing_vs_currency.json"),
        ("/coins/bitcoin/market_chart?days=1", 422, "error_422_missing_vs_currency.json"),
        ("/simple/price?vs_currencies=usd", 422, "error_422_missing_ids.json"),
        (
            "/coins/no-such-coin/market_chart?vs_currency=usd&days=1",
            404,
            "error_404_coin_not_found.json",
        ),
        ("/ping", 200, "ping_2024-01-15.json"),
    ],
)
def test_bodies_are_those_recorded(
    simulator: Caller, path: str, status: int, recorded: str
) -> None:
    response = simulator.get(path)
    assert response.status_code == status
    assert response.json() == _recorded(recorded)


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("/coins/markets", "Missing parameter vs_currency"),
        ("/coins/markets?vs_currency=xyz", "invalid vs_currency"),
        ("/simple/price?ids=bitcoin", "Missing parameter vs_currencies"),
        ("/coins/bitcoin/market_chart?vs_currency=usd", "Missing parameter days"),
        ("/coins/bitcoin/market_chart?vs_currency=usd&days=-1", "Invalid days"),
        ("/coins/bitcoin/market_chart?vs_currency=usd&days=nan", "Invalid days"),
        ("/coins/bitcoin/market_chart/range?vs_currency=usd&to=1", "Missing parameter from"),
        ("/coins/bitcoin/market_chart/range?vs_currency=usd&from=1&to=1e99", "Invalid to"),
    ],
)
def test_bad_parameters_are_refused(simulator: Caller, path: str, error: str) -> None:
    response = simulator.get(path)
    assert (response.status_code, response.json()) == (422, {"error": error})


def test_an_unknown_path_is_not_found(simulator: Caller) -> None:
    response = simulator.get("/coins")
    assert (response.status_code, response.json()) == (404, {"error": "Incorrect path /coins"})


def test_a_page_has_the_recorded_shape(simulator: Caller) -> None:
    recorded = _recorded("markets_usd_page1_2026-07-02T015026Z_run.json")
    rows = simulator.json(MARKETS)
    assert len(rows) == 100
    assert {tuple(row) for row in rows} == {tuple(row) for row in recorded}
    assert rows[0]["id"] == recorded[0]["id"]


def test_parameters_of_a_page(simulator: Caller) -> None:
    def ids(more: str) -> list[str]:
        return [row["id"] for row in simulator.json(MARKETS + more)]

    assert len(ids("&per_page=250")) == len(ids("&per_page=999")) == 250
    assert ids("&per_page=7&page=2") == ids("&per_page=14")[7:]
    assert len(ids("&per_page=x")) == 100
    assert ids("&per_page=3&order=market_cap_asc") != ids("&per_page=3")
    assert ids("&ids=ethereum,bitcoin,no-such-coin") == ["bitcoin", "ethereum"]
    assert ids("&ids=bitcoin, ethereum") == ["bitcoin"]
    assert ids("&ids=harbour-%5Bold%5D,2step%20token,_") == ["_", "2step token", "harbour-[old]"]
    assert "weth" not in ids("&per_page=100")
    assert "weth" in ids("&per_page=100&include_rehypothecated=true")


def test_changes_sparkline_and_precision(simulator: Caller) -> None:
    row = simulator.row(more="&price_change_percentage=1h,24h,7d&sparkline=true&precision=full")
    assert len(row["sparkline_in_7d"]["price"]) == 168
    day = row["price_change_percentage_24h_in_currency"]
    assert round(day, 5) == row["price_change_percentage_24h"]
    assert isinstance(row["current_price"], float)
    assert row["sparkline_in_7d"]["price"][-1] == row["current_price"]
    assert simulator.row(more="&precision=1")["current_price"] == round(row["current_price"], 1)


def test_simple_price_has_the_recorded_shape(simulator: Caller) -> None:
    everything = (
        "&include_market_cap=true&include_24hr_vol=true&include_24hr_change=true"
        "&include_last_updated_at=true"
    )
    path = "/simple/price?ids=bitcoin&vs_currencies=usd"
    full = simulator.json(f"{path}{everything}&precision=full")
    assert _shape(full) == _shape(_recorded("simple_price_bitcoin_full_2024-12-21.json"))
    two = simulator.json("/simple/price?ids=ethereum,bitcoin,nobody&vs_currencies=eur")
    assert list(two) == list(_recorded("simple_price_eur_2ids_2026-06-05.json"))
    assert list(two["bitcoin"]) == ["eur"]
    assert list(simulator.json("/simple/price?ids=bitcoin, ethereum&vs_currencies=usd")) == [
        "bitcoin"
    ]
    both = simulator.json(f"/simple/price?ids=bitcoin&vs_currencies=usd,xyz,eur{everything}")
    assert list(both["bitcoin"])[-1] == "last_updated_at"
    assert both["bitcoin"]["usd"] == simulator.row()["current_price"]


def test_the_list_has_the_recorded_shape(simulator: Caller) -> None:
    coins = simulator.json("/coins/list")
    assert len(coins) == 300
    assert _shape(coins) == _shape(_recorded("coins_list_2025-08-03.json"))
    assert [coin["id"] for coin in coins] == sorted(coin["id"] for coin in coins)


def test_charts_have_the_recorded_shape_and_go_through_the_quotes(
    simulator: Caller, clock: Clock
) -> None:
    chart = simulator.json("/coins/bitcoin/market_chart?vs_currency=usd&days=1")
    recorded = _recorded("market_chart_bitcoin_usd_1d_5min_2024-01-15.json")
    assert _shape(chart) == _shape(recorded)
    assert len(chart["prices"]) == pytest.approx(289, abs=1)  # five minutes each, for a day
    end = clock.now
    for at, price in chart["prices"][::50]:
        clock.now = at + 999
        assert simulator.row()["current_price"] == pytest.approx(price, rel=2e-3)
    clock.now = end
    start = (end - 5 * DAY) // 1000
    path = f"/coins/bitcoin/market_chart/range?vs_currency=usd&from={start}&to={end // 1000}"
    assert len(simulator.json(path)["prices"]) == pytest.approx(120, abs=2)
    assert len(simulator.json(f"{path}&interval=daily")["prices"]) == 5


@pytest.mark.parametrize("days", ["0.5", "1", "90", "365"])
def test_a_chart_within_the_year_needs_no_key(simulator: Caller, days: str) -> None:
    path = f"/coins/bitcoin/market_chart?vs_currency=usd&days={days}"
    assert simulator.get(path).status_code == 200


def test_beyond_the_year_a_key_is_needed(simulator: Caller) -> None:
    recorded = _recorded("error_401_10012_time_range.json")
    for path in (
        "/coins/bitcoin/market_chart?vs_currency=usd&days=max",
        "/coins/bitcoin/market_chart?vs_currency=usd&days=366",
        "/coins/bitcoin/market_chart/range?vs_currency=usd&from=1500000000&to=1795000000",
    ):
        refused = simulator.get(path)
        assert refused.status_code == 401
        status = refused.json()["error"]["status"]
        assert _shape(refused.json()) == _shape(recorded)
        assert status["error_message"] == recorded["error"]["status"]["error_message"]
        assert simulator.get(path, **{"x-cg-demo-api-key": "CG-x"}).status_code == 200


@pytest.mark.parametrize(
    ("form", "content_type", "beginning"),
    [
        ("json", "application/json", '{"status":{"error_code":429,"error_message":"You\'ve exc'),
        ("html", "text/html", "<!DOCTYPE html>"),
        ("text", "text/plain", "error code: 1015"),
    ],
)
def test_rate_limited(simulator: Caller, form: str, content_type: str, beginning: str) -> None:
    simulator.fault(kind="rate_limited", form=form, retry_after=119)
    simulator.fault(kind="rate_limited", form=form, retry_after=None)
    first, second, third = (simulator.get(MARKETS) for _ in range(3))
    assert [r.status_code for r in (first, second, third)] == [429, 429, 200]
    assert first.headers["Retry-After"] == "119"
    assert "Retry-After" not in second.headers
    assert first.headers["Content-Type"].startswith(content_type)
    assert first.text.startswith(beginning)


def test_the_rate_limit_is_worded_as_recorded(simulator: Caller) -> None:
    simulator.fault(kind="rate_limited")
    assert simulator.get("/ping").json() == _recorded("error_429_rate_limit.json")


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_server_errors_are_pages(simulator: Caller, status: int) -> None:
    simulator.fault(kind="server_error", status=status)
    response = simulator.get(MARKETS)
    assert response.status_code == status
    assert response.headers["Content-Type"].startswith("text/html")
    assert f"{status}: " in response.text


def test_a_slow_answer_comes_late_and_whole(simulator: Caller) -> None:
    simulator.fault(kind="slow", delay=0.2)
    start = time.monotonic()
    assert len(simulator.json(MARKETS)) == 100
    assert time.monotonic() - start >= 0.2


def test_a_trickled_answer_comes_in_pieces_and_whole(simulator: Caller) -> None:
    simulator.fault(kind="trickle", chunk=100, delay=0.02, path="/coins/markets")
    start = time.monotonic()
    with simulator.session.get(
        f"{simulator.url}{MARKETS}&per_page=1", stream=True, timeout=10
    ) as response:
        pieces = list(response.raw.stream(1, decode_content=False))
    took = time.monotonic() - start
    size = sum(len(piece) for piece in pieces)
    assert json.loads(b"".join(pieces))[0]["id"] == "bitcoin"
    assert took >= (size // 100 - 1) * 0.02


def test_a_cut_answer_is_noticed_and_the_next_is_whole(simulator: Caller) -> None:
    simulator.fault(kind="cut", keep=0.3)
    with pytest.raises(requests.exceptions.ChunkedEncodingError, match="IncompleteRead"):
        simulator.get(MARKETS)
    assert len(simulator.json(MARKETS)) == 100


def test_any_body_can_be_sent(simulator: Caller) -> None:
    simulator.fault(kind="body", body='[{"id": NaN', status=203, content_type="text/x; a=b")
    response = simulator.get(MARKETS)
    assert (response.status_code, response.text) == (203, '[{"id": NaN')
    assert response.headers["Content-Type"] == "text/x; a=b"


def test_a_fault_waits_for_its_path(simulator: Caller) -> None:
    simulator.fault(kind="server_error", path="/coins/markets", times=2)
    assert simulator.get("/ping").status_code == 200
    assert simulator.get(f"/api/v3{MARKETS}").status_code == 500
    assert [entry["times"] for entry in simulator.json(FAULTS)] == [1]
    assert simulator.session.delete(simulator.url + FAULTS, timeout=10).json() == []
    assert simulator.get(MARKETS).status_code == 200


def test_a_wrong_fault_is_refused_by_name(simulator: Caller) -> None:
    response = simulator.fault(kind="cut", keep=2)
    assert response.status_code == 400
    assert response.json()["error"].startswith("faults[0]: cut: keep is 2: allowed are")
    assert simulator.json(FAULTS) == []


def test_a_null_price(simulator: Caller) -> None:
    simulator.fault(kind="null_price", coin="bitcoin")
    first, second = simulator.json(f"{MARKETS}&ids=bitcoin,ethereum")
    assert first["current_price"] is None
    assert first["last_updated"] is not None
    assert second["current_price"] is not None
    assert simulator.json("/simple/price?ids=bitcoin&vs_currencies=usd") == {
        "bitcoin": {"usd": None}
    }


def test_a_frozen_coin_stands_still_from_when_it_was_set(simulator: Caller, clock: Clock) -> None:
    before = simulator.row()
    simulator.fault(kind="frozen", coin="bitcoin")
    clock.now += 3 * DAY
    assert simulator.row() == before
    assert simulator.row("ethereum")["last_updated"] > iso(clock.now - 2_000)
    simulator.session.delete(simulator.url + FAULTS, timeout=10)
    assert simulator.row() != before


def test_a_retired_coin_is_nowhere(simulator: Caller) -> None:
    simulator.fault(kind="retired", coin="bitcoin")
    rows = simulator.json(MARKETS)
    assert len(rows) == 100
    assert "bitcoin" not in {row["id"] for row in rows}
    assert simulator.json(f"{MARKETS}&ids=bitcoin") == []
    assert "bitcoin" not in {coin["id"] for coin in simulator.json("/coins/list")}
    assert simulator.json("/simple/price?ids=bitcoin&vs_currencies=usd") == {}
    chart = simulator.get("/coins/bitcoin/market_chart?vs_currency=usd&days=1")
    assert (chart.status_code, chart.json()) == (404, {"error": "coin not found"})


@pytest.mark.parametrize("value", [0, -1, 1e308, 5e-324, 10**40, 0.1 + 0.2])
def test_a_set_price_is_fresh_at_every_request(simulator: Caller, value: float) -> None:
    simulator.fault(kind="price", coin="bitcoin", value=value)
    rows = [simulator.row() for _ in range(5)]
    assert [row["current_price"] for row in rows] == [value] * 5
    assert type(rows[0]["current_price"]) is type(value)
    assert len({row["last_updated"] for row in rows}) == 5


def test_what_was_served_is_told(simulator: Caller) -> None:
    rows = simulator.json(f"{MARKETS}&per_page=3")
    told = simulator.json("/simulator/served")
    assert told == {
        "rows": [
            {"n": n, "id": r["id"], "price": r["current_price"], "last_updated": r["last_updated"]}
            for n, r in enumerate(rows)
        ],
        "next": 3,
        "lost": 0,
    }
    simulator.fault(kind="trickle", chunk=500, delay=0)
    simulator.json(f"{MARKETS}&ids=ethereum")
    later = simulator.json("/simulator/served?since=3")
    assert [(row["n"], row["id"]) for row in later["rows"]] == [(3, "ethereum")]
    assert simulator.json("/simulator/served?since=99")["rows"] == []


@pytest.mark.parametrize("fault", [{"kind": "cut"}, {"kind": "server_error"}])
def test_what_cannot_have_arrived_is_not_told(simulator: Caller, fault: dict[str, str]) -> None:
    simulator.fault(**fault)
    try:
        simulator.get(MARKETS)
    except requests.exceptions.ChunkedEncodingError:
        assert fault["kind"] == "cut"
    assert simulator.json("/simulator/served")["next"] == 0


@pytest.mark.parametrize("since", ["-1", "x", "9" * 30])
def test_a_number_that_is_none_is_refused(simulator: Caller, since: str) -> None:
    response = simulator.get(f"/simulator/served?since={since}")
    assert response.status_code == 400
    assert "a whole number is needed" in response.json()["error"]


def test_the_log_is_bounded_and_says_what_it_lost() -> None:
    log = ServedLog(length=3)
    log.add({"id": str(n), "current_price": n, "last_updated": None} for n in range(5))
    assert [row["n"] for row in log.since(0)["rows"]] == [2, 3, 4]
    assert (log.since(0)["next"], log.since(0)["lost"]) == (5, 2)
    assert [row["id"] for row in log.since(4)["rows"]] == ["4"]


def test_a_replay_is_served_as_recorded(tmp_path: Path) -> None:
    pages = []
    for number in (1, 2):
        page = [
            {"id": "a", "symbol": "a", "name": "A", "current_price": number, "market_cap": None,
             "last_updated": "2026-07-02T01:50:16.954Z"},
            {"id": "b", "symbol": "b", "name": "B", "current_price": number + 10**30,
             "last_updated": "2026-07-02T01:50:17.954Z"},
        ]  # fmt: skip
        (tmp_path / f"{number}_markets.json").write_text(json.dumps(page))
        pages.append(page)
    faults: list[Fault] = [NullPrice(coin="b")]
    app = create_simulator(Replay(tmp_path), FaultRegistry(faults, now_ms()))
    with serving(app) as url, requests.Session() as session:
        caller = Caller(url, session)
        assert caller.json(f"{MARKETS}&ids=a") == pages[0][:1]
        caller.fault(kind="server_error")
        assert caller.get(f"{MARKETS}&ids=a").status_code == 500
        assert caller.json(f"/api/v3{MARKETS}&ids=a") == pages[1][:1]
        assert [row["current_price"] for row in caller.json(MARKETS)] == [1, None]
        session.delete(url + FAULTS, timeout=10)
        assert caller.json(MARKETS) == pages[1]
        assert caller.get("/coins/markets?vs_currency=eur").json() == {
            "error": "invalid vs_currency"
        }
        assert caller.json("/simple/price?ids=a&vs_currencies=usd") == {"a": {"usd": 1}}
        assert [coin["id"] for coin in caller.json("/coins/list")] == ["a", "b"]
        missing = caller.get("/coins/a/market_chart?vs_currency=usd&days=1")
        assert missing.status_code == 404


def test_a_frozen_coin_of_a_replay_stands_still(tmp_path: Path) -> None:
    for number in (1, 2, 3):
        (tmp_path / f"{number}_markets.json").write_text(
            json.dumps([{"id": "a", "current_price": number}])
        )
    registry = FaultRegistry()
    with (
        serving(create_simulator(Replay(tmp_path), registry)) as url,
        requests.Session() as session,
    ):
        caller = Caller(url, session)
        prices = [caller.json(MARKETS)[0]["current_price"]]
        registry.add([Frozen(coin="a")], now_ms())
        prices += [caller.json(MARKETS)[0]["current_price"] for _ in range(2)]
    assert prices == [1, 2, 2]


def test_long_whole_numbers_are_encoded_whole() -> None:
    assert json.loads(encode([10**40, 1.0, "é"])) == [10**40, 1.0, "é"]


def test_the_command_listens_says_so_and_stops_at_sigterm(tmp_path: Path) -> None:
    faults = tmp_path / "faults.json"
    faults.write_text('[{"kind": "slow", "delay": 600, "path": "/coins"}]')
    command = [sys.executable, "-m", "simulator", "--port", "0", "--faults", str(faults)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("simulator listens on http://127.0.0.1:")
        url = line.split()[-1]
        with requests.Session() as session:
            # An idle connection and a waiting request must not hold it.
            assert session.get(f"{url}/ping", timeout=10).status_code == 200
            with socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2]))) as waiting:
                waiting.sendall(b"GET /coins/list HTTP/1.1\r\nHost: x\r\n\r\n")
                while session.get(f"{url}{FAULTS}", timeout=10).json():
                    pass
                start = time.monotonic()
                process.send_signal(signal.SIGTERM)
                assert process.wait(10) == 0
                assert time.monotonic() - start < 2
        assert process.stdout.read() == ""


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--replay", "/no/such/folder"], "/no/such/folder has no file *markets*.json"),
        (["--faults", "/no/such/file"], "No such file or directory: '/no/such/file'"),
        (["--coins", "0"], "coins is 0: at least 1 is needed"),
        (["--cadence", "0"], "cadence is 0.0 s: at least 0.001 s is needed"),
        (["--port", "70000"], "port is 70000: allowed are 0 to 65535"),
    ],
)
def test_the_command_says_what_is_wrong(
    options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    held = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        assert main(["--port", "0", *options]) == 2
    finally:
        for number, handler in held.items():
            signal.signal(number, handler)
    assert message in capsys.readouterr().err


def test_a_port_in_use_is_said(simulator: Caller) -> None:
    port = int(simulator.url.rpartition(":")[2])
    with (
        pytest.raises(OSError, match="in use"),
        serving(create_simulator(Market(coins=1)), port=port),
    ):
        pass


def test_many_pages_at_once_agree(simulator: Caller, clock: Clock) -> None:
    clock.now += HOUR

    def page(_: int) -> Any:
        with requests.Session() as session:
            return Caller(simulator.url, session).json(MARKETS)

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(page, range(24)))
    assert all(answer == simulator.json(MARKETS) for answer in answers)
