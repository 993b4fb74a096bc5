"""Which processes there are, from the settings."""

import re
import stat
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

import settings as project
from supervisor import process_plan
from supervisor.process_spec import ProcessSpec
from supervisor.state_dir import StateDir

SECRETS = {"api_key": "made-key"} | dict.fromkeys(
    ("mongodb_password", "nats_password", "redis_password"), "hidden-0"
)
PORTS = {"mongodb": 21001, "nats": 21002, "redis": 21003, "market": 21004}


def plan(home: Path, **values: str) -> dict[str, ProcessSpec]:
    settings = project.load(
        {"KOINX_HOME": str(home), "KOINX_ENV_FILE": "", **values}, running=False
    )
    return process_plan.plan(settings, PORTS.__getitem__, SECRETS.__getitem__)


def test_the_market_runs_only_where_it_is_simulated(tmp_path: Path) -> None:
    assert "market" not in plan(tmp_path)
    assert "market" in plan(tmp_path, MARKET="demo")


def test_the_others_find_the_embedded_servers(tmp_path: Path) -> None:
    environment = plan(tmp_path, MARKET="demo")["worker"].environment
    assert environment["MONGODB_URI"] == (
        "mongodb://koinx:hidden-0@127.0.0.1:21001/?directConnection=true"
    )
    assert environment["NATS_URL"] == "nats://koinx:hidden-0@127.0.0.1:21002"
    assert environment["REDIS_URL"] == "redis://:hidden-0@127.0.0.1:21003/0"
    assert environment["COINGECKO_API_URL"] == "http://127.0.0.1:21004/api/v3"
    assert environment["COINPAPRIKA_API_URL"] == "http://127.0.0.1:21004/v1"
    assert environment["KOINX_ENV_FILE"] == ""


def test_a_key_for_coingecko_never_reaches_the_simulator(tmp_path: Path) -> None:
    key = {"COINGECKO_API_KEY": "CG-secret", "COINGECKO_PLAN": "demo"}
    assert plan(tmp_path, **key)["worker"].environment["COINGECKO_API_KEY"] == "CG-secret"
    assert "CG-secret" not in str(plan(tmp_path, **key, MARKET="demo"))


def test_the_webhook_is_the_worker_s_alone(tmp_path: Path) -> None:
    found = plan(tmp_path, WEBHOOK_URL="https://hooks.example/key")
    told = {name for name, spec in found.items() if "hooks.example" in str(spec)}
    assert told == {"worker"}


@pytest.mark.row("secret-leak")
def test_no_secret_stands_on_a_command_line(tmp_path: Path) -> None:
    values = {
        "API_KEY": "hidden-1",
        "DASH_PASSWORD": "hidden-2",
        "REDIS_URL": "redis://:hidden-3@h",
    }
    for spec in (*plan(tmp_path, **values).values(), *plan(tmp_path, MARKET="demo").values()):
        assert not re.search("hidden|made-key", " ".join(spec.command))
        assert "hidden" not in str(spec.url)


@pytest.mark.parametrize(
    ("change", "restarted"),
    [
        ({}, set()),
        ({"COINS": "bitcoin"}, {"prepare", "api", "worker", "beat", "dashboard"}),
        ({"DASH_PORT": "8051"}, {"dashboard"}),
        ({"API_WORKERS": "3"}, {"api", "dashboard"}),
        ({"LOCAL_ACCESS": "key"}, {"api", "dashboard"}),
        ({"SIMULATOR_SEED": "2"}, {"market"}),
    ],
)
def test_a_setting_restarts_only_what_it_concerns(
    tmp_path: Path, change: dict[str, str], restarted: set[str]
) -> None:
    before = plan(tmp_path, MARKET="demo")
    after = plan(tmp_path, MARKET="demo", **change)
    changed = {name for name in before if before[name].fingerprint != after[name].fingerprint}
    assert changed == restarted


def test_another_market_restarts_all_but_mongodb(tmp_path: Path) -> None:
    live, demo = plan(tmp_path), plan(tmp_path, MARKET="demo")
    same = {name for name in live if live[name].fingerprint == demo[name].fingerprint}
    assert same == {"mongodb"}


def test_commands(tmp_path: Path) -> None:
    found = plan(tmp_path, MARKET="demo", API_WORKERS="4", API_PORT="3001")
    assert found["market"].command == (
        *(sys.executable, "-m", "simulator", "--port", "21004"),
        *("--seed", "1", "--coins", "300"),
    )
    api = " ".join(found["api"].command)
    assert "-m granian --interface wsgi --host 127.0.0.1 --port 3001 --workers 4" in api
    assert "--respawn-failed-workers" in api
    assert re.search(r"-n koinx-[0-9a-f]{8}@%h ", " ".join(found["worker"].command))
    assert found["api"].url == "http://127.0.0.1:3001"
    assert found["prepare"].oneshot


@pytest.mark.parametrize(
    ("coins", "machine_gb", "cache_gb"),
    [
        ("bitcoin", 24, "0.5"),
        ("top:5000", 24, "0.5"),
        ("bitcoin,top:20000", 24, "1.8"),
        ("top:20000", 4, "1.0"),
        ("top:20000", 1, "0.5"),
    ],
)
def test_mongodb_has_room_for_the_last_block_of_each_coin(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    coins: str,
    machine_gb: int,
    cache_gb: str,
) -> None:
    machine = SimpleNamespace(total=machine_gb * 1024**3)
    monkeypatch.setattr("psutil.virtual_memory", lambda: machine)
    command = plan(tmp_path, MARKET="demo", COINS=coins)["mongodb"].command
    assert command[command.index("--wiredTigerCacheSizeGB") + 1] == cache_gb


def test_needs_and_order_of_ending(tmp_path: Path) -> None:
    found = plan(tmp_path, MARKET="demo")
    assert found["prepare"].needs == ("mongodb", "nats", "redis", "market")
    assert found["worker"].needs == (*found["prepare"].needs, "prepare")
    assert found["dashboard"].needs == ()
    stages = sorted(found.values(), key=lambda spec: spec.stage)
    order = [spec.name for spec in stages if spec.name != "prepare"]
    assert set(order[:2]) == {"dashboard", "beat"}
    assert order[2:4] == ["worker", "api"]


def test_recorded_pages_are_handed_to_the_market(tmp_path: Path) -> None:
    pages = tmp_path / "pages"
    pages.mkdir()
    found = plan(tmp_path, MARKET="replay", SIMULATOR_REPLAY=str(pages))
    assert found["market"].command[-2:] == ("--replay", str(pages))


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:80"),
        ("0.0.0.0", "http://127.0.0.1:80"),
        ("::", "http://[::1]:80"),
        ("::1", "http://[::1]:80"),
        ("example.org", "http://example.org:80"),
    ],
)
def test_where_this_machine_finds_a_listener(host: str, url: str) -> None:
    assert process_plan.local_url(host, 80) == url


def test_the_key_is_made_once_and_is_its_owners_alone(tmp_path: Path) -> None:
    folder = StateDir(tmp_path)
    folder.create()
    key = folder.secret(process_plan.API_KEY_FILE)
    assert len(key) >= 43
    assert folder.secret(process_plan.API_KEY_FILE) == key
    assert stat.S_IMODE((folder.run / process_plan.API_KEY_FILE).stat().st_mode) == 0o600


@pytest.mark.row("worker-wedged")
def test_what_can_stand_still_is_watched_by_its_work_and_started_anew(tmp_path: Path) -> None:
    found = plan(tmp_path)
    for name in ("worker", "beat"):
        probe = found[name].probe
        assert probe is not None
        assert f"{found[name].name}.json" in probe.target  # its sign of life, not only its answer
        assert found[name].stuck_after == 30


def test_the_dashboard_gives_the_memory_of_large_files_back(tmp_path: Path) -> None:
    environment = plan(tmp_path, MARKET="demo")["dashboard"].environment
    assert {
        name: environment[name] for name in process_plan.SAVE_MEMORY
    } == process_plan.SAVE_MEMORY
