"""The alert rules and the dashboard, checked by Prometheus' own tool and by /metrics."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from cli.migrate import prepare
from settings import ROOT, Settings

pytestmark = pytest.mark.system

FOLDER = ROOT / "monitoring"
ALERTS = FOLDER / "alerts.yml"
DASHBOARD = FOLDER / "grafana.json"
GUIDE = ROOT / "docs" / "monitoring.md"
NAME = re.compile(r"\bkoinx_(?!live_|demo_)[a-z_]+\b")  # those two are databases
SUFFIX = re.compile(r"_(bucket|count|sum)$")


def promtool(*arguments: str | Path, given: str = "") -> None:
    program = shutil.which("promtool")
    if program is None:
        if os.environ.get("CI"):
            pytest.fail("promtool is not installed, and CI installs it")
        pytest.skip("promtool is not installed: it is in Debian's package prometheus")
    ran = subprocess.run(
        [program, *arguments], input=given, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "rules", ALERTS),
        ("check", "config", FOLDER / "prometheus.yml"),
        ("test", "rules", FOLDER / "alerts_test.yml"),
    ],
    ids=["rules", "config", "alerts"],
)
def test_promtool_finds_nothing_wrong(arguments: tuple[str | Path, ...]) -> None:
    promtool(*arguments)


@pytest.fixture
def exposed(client: FlaskClient, settings: Settings) -> str:
    prepare(settings)
    client.get("/health")
    return client.get("/metrics").text


def test_promtool_reads_what_is_exposed(exposed: str) -> None:
    promtool("check", "metrics", given=exposed)


def test_every_metric_that_is_named_is_there_and_every_one_is_explained(exposed: str) -> None:
    exists = set(re.findall(r"^# TYPE (\S+)", exposed, re.MULTILINE))
    for file in (ALERTS, DASHBOARD, FOLDER / "alerts_test.yml", GUIDE):
        named = {SUFFIX.sub("", name) for name in NAME.findall(file.read_text())}
        assert named, file
        assert named <= exists, file
    assert exists <= {SUFFIX.sub("", name) for name in NAME.findall(GUIDE.read_text())}


def test_every_alert_says_what_it_is_and_what_to_do_and_is_tested() -> None:
    alerts = re.findall(r"- alert: (\w+)", ALERTS.read_text())
    text = ALERTS.read_text()
    for part in ("severity: ", "summary: ", "todo: "):
        assert text.count(part) == len(alerts)
    tested = (FOLDER / "alerts_test.yml").read_text()
    guide = GUIDE.read_text()
    for alert in alerts:
        assert tested.count(alert) >= 2, "silent when all is well, and told when not"
        assert f"`{alert}`" in guide


def test_the_dashboard_s_panels_ask_and_do_not_overlap() -> None:
    panels = json.loads(DASHBOARD.read_text())["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        assert all(target["expr"] for target in panel["targets"])
        assert panel["datasource"]["uid"] == "prometheus"
        at = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24
        taken |= cells
