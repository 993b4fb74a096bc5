"""docker-compose.yml, as far as it can be checked without an engine."""

import os
import re
import shutil
import subprocess

import pytest

from settings import ROOT

SECRETS = {"API_KEY": "key", "DASH_PASSWORD": "password"}


def config(**environment: str) -> "subprocess.CompletedProcess[str]":
    program = shutil.which("docker-compose")
    if program is None:
        if os.environ.get("CI"):
            pytest.fail("docker-compose is not installed, and CI installs it")
        pytest.skip("docker-compose is not installed")
    return subprocess.run(
        [program, "--profile", "monitoring", "config", "--services"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_file_is_valid_and_has_every_process() -> None:
    found = config(**SECRETS)
    assert found.returncode == 0, found.stderr
    assert set(found.stdout.split()) == {
        *("nats", "redis", "mongo", "prepare", "api", "worker", "beat", "dashboard"),
        *("prometheus", "grafana"),
    }


@pytest.mark.parametrize("secret", SECRETS)
def test_without_its_secrets_it_does_not_start(secret: str) -> None:
    found = config(**{name: value for name, value in SECRETS.items() if name != secret})
    assert found.returncode != 0
    assert f"set {secret} in .env" in found.stderr


def test_the_image_holds_what_the_processes_import() -> None:
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    copied = {word for line in lines if line.startswith("COPY ") for word in line.split()}
    ours = {"logbook", "settings", "celeryconfig.py", "market", "bridge", "tasks", "api", "dash_ui"}
    assert ours <= copied


def test_prometheus_and_grafana_run_by_their_profile_alone_and_find_their_files() -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    profiles = re.findall(r"  (\w+):\n    image: .*\n    profiles: \[monitoring\]", text)
    assert profiles == ["prometheus", "grafana"]
    mounted = re.findall(r"- \./(monitoring/[^:]+):", text)
    assert len(mounted) == 5
    assert all((ROOT / file).is_file() for file in mounted)


def test_what_every_container_prints_is_bounded() -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    assert text.count("    logging: *logging\n") + 1 == text.count("image: ")
    assert "image: koinx\n  logging: *logging" in text


def test_its_servers_keep_what_they_acknowledged() -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    assert "jetstream { store_dir: /data, sync_interval: always }" in text
    assert '"--appendonly", "yes", "--appendfsync", "always"' in text
    assert '"--maxmemory-policy", "noeviction"' in text
