"""One event's way, from beat to REST, on a whole system."""

import asyncio
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nats
import pytest
import requests
from pymongo import MongoClient

from bench.harness.services import SimulatorControl, free_port, wait_until
from bench.harness.system import System, running
from settings import ROOT

COINS = "bitcoin,ethereum,matic-network,top:100"


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with running(tmp_path_factory.mktemp("flow"), "--demo", COINS=COINS) as made:
        yield made


def publish(system: System, *messages: bytes) -> None:
    """Sends messages as any NATS client does."""

    async def send() -> None:
        client = await nats.connect(system.server("nats"))
        for message in messages:
            await client.publish("crypto.update", message)
        await client.drain()

    asyncio.run(send())


def updates(system: System, size: int = 1) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = system.get(f"/v1/updates?page_size={size}").json()
    return found


def market(system: System) -> SimulatorControl:
    return system.market()


def trigger(system: System) -> None:
    answer = requests.post(f"{system.api}/trigger-update", timeout=10)
    assert answer.status_code == 200, answer.text
    assert answer.json() == {"message": "Cryptocurrency stats updated successfully"}


def test_beat_s_event_can_be_read(system: System) -> None:
    answer = wait_until(lambda: _good(system.get("/stats?coin=bitcoin")), "bitcoin's price", 10)
    assert set(answer.json()) == {"price", "marketCap", "24hChange"}
    assert system.get("/deviation?coin=bitcoin").json()["deviation"] >= 0
    first = updates(system, 100)[-1]
    assert (first["trigger"], first["state"]) == ("schedule", "done")
    hops = ["published", "streamed", "received", "started", "claimed", "fetched", "stored"]
    assert sorted(first["hops"], key=first["hops"].get)[: len(hops)] == hops


def test_status_says_all_is_ready(system: System) -> None:
    states = system.status()
    assert list(states) == [
        *("mongodb", "nats", "redis", "market", "api", "worker", "beat", "dashboard")
    ]
    assert all(one["state"] == "running" and one["ready"] for one in states.values()), states


@pytest.mark.parametrize(
    ("arguments", "currency", "asked"),
    [
        ((), "usd", "live prices in usd"),
        (("--demo",), "eur", "simulated prices in eur"),
        (("--replay", "tests"), "usd", "recorded pages in usd"),
    ],
)
def test_up_leaves_no_market_without_being_told_to(
    system: System, arguments: tuple[str, ...], currency: str, asked: str
) -> None:
    before = {name: one["pid"] for name, one in system.status().items()}
    ran = system.koinx("up", *arguments, "--detach", CURRENCY=currency)
    assert (ran.returncode, ran.stderr.splitlines()) == (
        1,
        [
            f"KoinX is running on simulated prices in usd, but you asked for {asked}. "
            "Run ./koinx down first, or add --switch."
        ],
    )
    assert {name: one["pid"] for name, one in system.status().items()} == before
    assert system.koinx("up", "--demo", "--detach").returncode == 0


def test_up_switches_market_and_currency_when_it_is_told_to(tmp_path: Path) -> None:
    pages, page = tmp_path / "pages", "markets_usd_page1_2025-12-14T000000Z_run.json"
    pages.mkdir()
    coins = {"COINS": "bitcoin,ethereum", "CRON_SCHEDULE": "0 0 1 1 *", "API_WORKERS": "1"}
    with running(tmp_path / "home", "--demo", **coins) as system:
        wait_until(lambda: _good(system.get("/stats?coin=bitcoin")), "a price in usd", 10)
        in_usd = system.get("/v1/updates").json()
        url = system.known().coingecko_api_url
        rows = requests.get(f"{url}/coins/markets?vs_currency=usd&ids=bitcoin,ethereum", timeout=5)
        (pages / page).write_bytes(rows.content)

        # Another currency
        switch(system, "--demo", currency="eur")
        wait_until(lambda: _good(system.get("/stats?coin=bitcoin")), "a price in eur", 10)
        assert system.known().currency == "eur"
        assert set(stored(system)) == {"koinx_demo_usd", "koinx_demo_eur"}

        # Another market
        switch(system, "--replay", str(pages))
        wait_until(lambda: _good(system.get("/stats?coin=bitcoin")), "a recorded price", 10)
        assert system.get("/v1/coins/bitcoin").json()["source"] == "replay"
        in_eur = stored(system)["koinx_demo_eur"]

        # And back, where all is as it was
        switch(system, "--demo")
        assert system.get("/v1/updates").json() == in_usd
        assert system.get("/v1/coins/bitcoin").json()["source"] == "simulator"
        assert stored(system)["koinx_demo_eur"] == in_eur
        assert system.koinx("up", "--demo", "--detach").returncode == 0


def switch(system: System, *arguments: str, currency: str = "usd") -> None:
    up = system.koinx("up", *arguments, "--switch", "--detach", CURRENCY=currency)
    assert up.returncode == 0, up.stdout + up.stderr
    assert all(one["ready"] for one in system.status().values())


def stored(system: System) -> dict[str, int]:
    """How many updates each database has."""
    with MongoClient[dict[str, Any]](system.server("mongodb"), directConnection=True) as client:
        names = [one for one in client.list_database_names() if one.startswith("koinx_")]
        return {one: client[one]["updates"].count_documents({}) for one in names}


def test_the_pinned_coins_have_a_hundred_records_within_half_a_minute(system: System) -> None:
    def hundred() -> dict[str, Any] | None:
        for coin in ("bitcoin", "ethereum", "matic-network"):
            told: dict[str, Any] = system.get(f"/deviation?coin={coin}&include=repaired").json()
            if told.get("records") != 100:
                return None
        return told

    told = wait_until(hundred, "a hundred records", 30)
    assert told["repaired"] >= 90
    assert told["deviation"] > 0


def test_a_stretch_of_history_is_mended_on_demand(system: System) -> None:
    ran = system.koinx(
        *("backfill", "--coins", "bitcoin"),
        *("--from", "2026-11-01T00:00Z", "--to", "2026-11-01T06:00Z"),
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.startswith("1 of 1 coins, from 2026-11-01T00:00:00+00:00")
    [repair] = system.get("/v1/repairs?coin=bitcoin&page_size=1").json()
    assert (repair["state"], repair["mended"]) == ("done", {"3600": 6})
    refused = system.koinx("backfill", "--coins", "nothing")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "'nothing' is not collected" in refused.stderr


def test_a_retired_id_goes_on_working(system: System) -> None:
    wait_until(lambda: _good(system.get("/stats?coin=matic-network")), "its successor's price", 10)


def test_a_plain_client_s_event_stores_new_quotes(system: System) -> None:
    simulator = market(system)
    simulator.fault("price", coin="bitcoin", value=70123)
    publish(system, b'{"trigger":"update"}')
    wait_until(lambda: system.get("/stats?coin=bitcoin").json()["price"] == 70123, "its price")
    simulator.clear()
    assert updates(system)[0]["trigger"] == "event"


def test_what_is_no_event_is_set_aside_and_the_next_good_one_served(system: System) -> None:
    before = system.get("/ready").json()["dead_letters"]
    bad = [b'{"trigger":"other"}', b"null", b"[1]", os.urandom(64), b"x" * 1_000_000]
    good = b'{"trigger":"update","id":"after-the-bad-ones"}'
    publish(system, *bad, good)
    good_one = "/v1/updates/after-the-bad-ones"
    wait_until(lambda: system.get(good_one).json().get("state") == "done", "the good event")
    wait_until(
        lambda: system.get("/ready").json()["dead_letters"] == before + len(bad),
        "the bad ones to be set aside",
    )


def test_three_prices_have_their_deviation(system: System) -> None:
    coin, simulator = "litecoin", market(system)
    mongodb: MongoClient[dict[str, Any]] = MongoClient(
        system.server("mongodb"), directConnection=True
    )
    with mongodb:
        mongodb["koinx_demo_usd"]["quotes"].delete_many({"_id.coin": coin})
    for price in (40000, 45000, 50000):
        simulator.fault("price", coin=coin, value=price)
        trigger(system)
    simulator.clear()
    assert system.get(f"/deviation?coin={coin}").json() == {"deviation": 4082.48}
    assert system.get(f"/stats?coin={coin}").json()["price"] == 50000


def test_after_a_trigger_no_process_answers_an_older_price(system: System) -> None:
    simulator = market(system)
    for price in range(70001, 70011):
        simulator.fault("price", coin="bitcoin", value=price)
        trigger(system)
        # Each on a connection of its own, so that both API processes answer.
        answers = {system.get("/stats?coin=bitcoin").json()["price"] for _ in range(20)}
        assert answers == {price}
    simulator.clear()


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("inspect ping", "pong"),
        ("status", "1 node online"),
        ("report", "celery:5"),
        ("inspect active", "- empty -"),
        ("call tasks.schedule.publish_update", "-"),
    ],
)
def test_celery_s_command_line_needs_no_setting(system: System, command: str, said: str) -> None:
    ran = subprocess.run(
        [".venv/bin/celery", "-A", "tasks", *command.split()],
        cwd=ROOT,
        env=system.bare,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert said in ran.stdout


def test_celery_events_show_each_task(system: System, tmp_path: Path) -> None:
    output = tmp_path / "events"
    with (
        output.open("wb") as file,
        subprocess.Popen(
            [".venv/bin/celery", "-A", "tasks", "events", "--dump"],
            cwd=ROOT,
            env=system.bare,
            stdout=file,
            stderr=subprocess.STDOUT,
        ) as events,
    ):
        try:
            wait_until(
                lambda: "tasks.schedule.sweep" in output.read_text(), "a task to be shown", 30
            )
        finally:
            events.terminate()


def test_a_second_up_finds_all_data_again(tmp_path: Path) -> None:
    ports = {"API_PORT": str(free_port()), "DASH_PORT": str(free_port())}
    with running(tmp_path, "--demo", COINS="top:20", API_WORKERS="1", **ports) as system:
        wait_until(lambda: _good(system.get("/stats?coin=bitcoin")), "a price", 10)
        before = updates(system)[0]
        assert system.koinx("down").returncode == 0
        assert not system.processes()
        assert system.koinx("down").returncode == 0  # also when nothing runs
        assert system.koinx("up", "--demo", "--detach").returncode == 0
        assert system.get(f"/v1/updates/{before['id']}").json() == before
        assert system.get("/stats?coin=bitcoin").ok
    assert not system.processes()


def test_two_homes_run_side_by_side(system: System, tmp_path: Path) -> None:
    with running(tmp_path, "--demo", COINS="top:5", SIMULATOR_SEED="2", API_WORKERS="1") as other:
        wait_until(lambda: _good(other.get("/stats?coin=bitcoin")), "a price", 10)
        assert len(other.get("/v1/coins").json()) == 5
        assert system.get("/stats?coin=bitcoin").ok
        assert not {one.pid for one in other.processes()} & {one.pid for one in system.processes()}


def test_without_internet_all_starts_and_says_what_to_do(tmp_path: Path) -> None:
    ports = {"API_PORT": str(free_port()), "DASH_PORT": str(free_port())}
    nowhere = f"http://127.0.0.1:{free_port()}/api/v3"
    settings = {"COINGECKO_API_URL": nowhere, "API_WORKERS": "1"}
    system = System(tmp_path, COINS="bitcoin", **settings, **ports)
    try:
        up = system.koinx("up", "--detach")
        assert up.returncode == 0
        said = up.stdout + up.stderr
        assert "could not be reached" in said
        assert "./koinx up --demo" in said
        assert system.get("/health").json()["status"] == "OK"
        update = wait_until(lambda: _failed(updates(system)), "the update to fail", 15)
        assert "could not be reached: Connection refused" in update["error"]
        answer = system.get("/stats?coin=bitcoin")
        assert (answer.status_code, answer.json()["error"]) == (404, "No data found for bitcoin")

        assert system.koinx("down").returncode == 0
        assert system.koinx("up", "--demo", "--detach").returncode == 0
        wait_until(lambda: _good(system.get("/stats?coin=bitcoin")), "a simulated price", 5)
        found = system.get("/v1/coins/bitcoin").json()
        assert found["source"] == "simulator"
        mongodb: MongoClient[dict[str, Any]] = MongoClient(
            system.server("mongodb"), directConnection=True
        )
        with mongodb:
            assert mongodb["koinx_live_usd"]["quotes"].count_documents({}) == 0
            assert mongodb["koinx_demo_usd"]["quotes"].count_documents({}) > 0
    finally:
        system.koinx("down")


def test_a_port_in_use_names_the_port_and_its_holder(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        system = System(tmp_path, API_PORT=str(port))
        before = time.monotonic()
        up = system.koinx("up", "--demo", "--detach")
        assert up.returncode != 0
        assert f"API_PORT={port}" in up.stderr
        assert str(os.getpid()) in up.stderr
        assert time.monotonic() - before < 20
        assert not system.processes()


def _good(answer: requests.Response) -> requests.Response | None:
    return answer if answer.ok else None


def _failed(found: list[dict[str, Any]]) -> dict[str, Any] | None:
    return next((one for one in found if one["state"] == "failed"), None)
