"""Every example of docs/api.md, run as it stands there on a system with two updates."""

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask
from playwright.sync_api import Browser

from api.openapi.spec import operations
from settings import ROOT
from tests.harness.api_server import consuming, serving, update_twice

pytestmark = pytest.mark.system

TEXT = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
TOO_LONG = "new Promise((_, no) => setTimeout(() => no(new Error('took 15 s')), 15000))"
DOCUMENTED = "http://127.0.0.1:3000"


def examples(language: str) -> list[str]:
    """The blocks of a language; of the shell's each line is one."""
    blocks = re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)
    assert blocks
    return [line for block in blocks for line in block.splitlines()] if language == "sh" else blocks


@pytest.fixture
def url(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    with consuming(app, monkeypatch), serving(app) as url:
        update_twice(url)
        yield url


@pytest.fixture
def curl(url: str, tmp_path: Path) -> Callable[[str], str]:
    """Runs a command in a folder of its own; gives what it prints."""
    if shutil.which("curl") is None:
        missing = "there is no curl: apt-get install curl"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(missing)

    def run(command: str) -> str:
        ran = subprocess.run(
            ["bash", "-ec", command.replace(DOCUMENTED, url)],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert ran.returncode == 0, command + ran.stderr
        return ran.stdout

    return run


def test_curl(curl: Callable[[str], str], tmp_path: Path) -> None:
    printed = {command: curl(command) for command in examples("sh")}
    silent = [command for command, text in printed.items() if not text and " -o " not in command]
    assert not silent
    assert (tmp_path / "quotes.csv").read_text().startswith("coin,at,price")


def test_the_second_of_two_like_answers_is_not_sent(curl: Callable[[str], str]) -> None:
    first, second = (one for one in examples("sh") if "etag" in one)
    curl(first)
    assert curl(second) == "304\n"


def test_python(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    for code in examples("python"):
        exec(code.replace(DOCUMENTED, url), {})  # in one process: pandas takes a second to import
        assert capsys.readouterr().out, code


def test_javascript(url: str, browser: Browser) -> None:
    with browser.new_context(base_url=url) as context:
        page = context.new_page()
        page.goto("/docs")
        said: list[str] = []
        page.on("console", lambda message: said.append(message.text))
        for code in examples("js"):
            said.clear()
            page.evaluate(f"Promise.race([{TOO_LONG}, (async () => {{ {code} }})()])")
            assert said, code
            if expected := re.search(r"console\.log\(.*// (.*)", code):
                assert expected[1] in said


def test_every_call_is_in_the_guide(app: Flask) -> None:
    document = app.test_client().get("/openapi.json").get_json()
    named = TEXT.replace("{id}", "{update_id}")
    assert [path for path, _, _ in operations(document) if f"`{path}`" not in named] == []
