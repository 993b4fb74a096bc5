"""The messages and log events that the guides quote are those of the code."""

import re
from pathlib import Path

import pytest

from settings import ROOT
from tests.harness.packages import modules

VARIABLE = re.compile(r"…|\d+|=")
IMPLICIT_JOIN = re.compile(r'(["\'])\s*\n\s*f?\1')


def source() -> str:
    """All code of the product, with each message that spans several lines in one."""
    return "\n".join(IMPLICIT_JOIN.sub("", file.read_text(encoding="utf-8")) for file in modules())


def table_cells(page: Path, column: int) -> list[str]:
    """The texts in backticks in one column of a page's tables."""
    rows = re.findall(r"^\|.*\|$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return [text for row in rows for text in re.findall(r"`([^`]+)`", row.split("|")[column])]


@pytest.fixture(scope="module")
def code() -> str:
    return source()


# One word in backticks there is a state or a name, not a message.
MESSAGES = [one for one in table_cells(ROOT / "docs/troubleshooting.md", 1) if " " in one]


@pytest.mark.parametrize("message", MESSAGES)
def test_each_message_of_the_troubleshooting_page_is_in_the_code(message: str, code: str) -> None:
    longest = max(VARIABLE.split(message), key=len).strip()
    assert len(longest) > 8
    assert longest in code


def test_each_log_event_of_the_monitoring_page_is_in_the_code(code: str) -> None:
    text = (ROOT / "docs/monitoring.md").read_text(encoding="utf-8")
    table = text.partition("| process | event |")[2].partition("\n\n")[0]
    cells = [row.split("|")[2] for row in table.splitlines() if row.startswith("| `")]
    quoted = [one for cell in cells for one in re.findall(r"`([^`]+)`", cell)]
    # Those with an ellipsis are Celery's own, and `api` there is a process.
    named = [one for one in quoted if "…" not in one and one != "api"]
    assert len(named) > 4
    assert [event for event in named if f'"{event}"' not in code] == []
