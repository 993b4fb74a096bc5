"""Every path that the architecture page and the decision records name exists."""

import re
from pathlib import Path

import pytest

from settings import ROOT

PAGES = [ROOT / "docs/architecture.md", *sorted((ROOT / "docs/decisions").glob("*.md"))]
NAME = re.compile(r"`([\w.-]+(?:/[\w.-]+)*/?)`")
FILE = re.compile(r"\.(py|toml|yml|md|json|txt)$")


def paths(text: str) -> list[str]:
    """What stands in backticks and is a path: it has a slash, or ends as a file does."""
    return [name for name in NAME.findall(text) if "/" in name or FILE.search(name)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_path_exists(page: Path) -> None:
    named = paths(page.read_text(encoding="utf-8"))
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_the_path_of_an_update_names_its_files() -> None:
    named = paths((ROOT / "docs/architecture.md").read_text(encoding="utf-8"))
    assert {"tasks/ingest.py", "market/ledger/ledger.py", "bridge/consumer.py"} <= set(named)


def test_every_decision_has_its_parts_and_a_link() -> None:
    architecture = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    for number, page in enumerate(PAGES[1:], 1):
        text = page.read_text(encoding="utf-8")
        assert page.name.startswith(f"{number:04}-")
        assert text.startswith(f"# {number}. ")
        assert re.findall("^## (.+)$", text, re.MULTILINE) == [
            "Context",
            "Decision",
            "Consequences",
        ]
        assert f"(decisions/{page.name})" in architecture


def test_a_path_is_told_from_other_names() -> None:
    text = (
        "`api/wsgi.py` `market/model/` `celeryconfig.py` `GET /ready` `/v1/coins` `quota.planner`"
    )
    assert paths(text) == ["api/wsgi.py", "market/model/", "celeryconfig.py"]
