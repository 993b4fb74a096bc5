"""What checks a change before and after its commit is pinned, and does what CI does."""

import re

import yaml

from settings import ROOT

SHA = re.compile(r"^[\w-]+/[\w/-]+@[0-9a-f]{40}$")


def test_pre_commit_runs_the_pinned_ruff_and_the_tools_of_the_environment() -> None:
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    ruff, local = config["repos"]
    pinned = re.search(r"^ruff==(.+)$", (ROOT / "requirements-dev.in").read_text(), re.MULTILINE)
    assert pinned is not None
    assert ruff["rev"] == f"v{pinned[1]}"
    assert [hook["id"] for hook in ruff["hooks"]] == ["ruff-check", "ruff-format"]
    checks = [hook["entry"] for hook in local["hooks"]]
    assert checks == [".venv/bin/mypy", ".venv/bin/lint-imports"]
    assert all(check in (ROOT / ".ci/run").read_text() for check in checks)


def test_the_workflow_runs_ci_with_pinned_actions() -> None:
    workflow = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())
    [job] = workflow["jobs"].values()
    assert job["steps"][-1] == {"run": ".ci/run"}
    used = [step["uses"] for step in job["steps"] if "uses" in step]
    assert used
    assert [action for action in used if not SHA.match(action)] == []
    assert workflow["permissions"] == {"contents": "read"}


def test_the_changelog_dates_each_version_the_newest_first() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    found = re.findall(r"^## (\d+\.\d+\.\d+) - (\d{4}-\d\d-\d\d)$", text, re.MULTILINE)
    assert len(found) == len(re.findall("^## (?!Unreleased)", text, re.MULTILINE))
    assert [version for version, _ in found][-1] == "0.1.0"
    assert [date for _, date in found] == sorted((date for _, date in found), reverse=True)
