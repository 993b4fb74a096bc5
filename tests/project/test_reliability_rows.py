"""Every row of docs/reliability.md has a test that names it, and no test names another."""

import ast
import re
from collections.abc import Iterator

import pytest

from settings import ROOT

PAGE = ROOT / "docs" / "reliability.md"
ROW = re.compile(r"^\| `([a-z-]+)` \|(.+\|){3}$", re.MULTILINE)
MARK = "pytest.mark.row"


def rows(page: str) -> list[str]:
    return [found[1] for found in ROW.finditer(page)]


def names(source: str) -> Iterator[tuple[str, bool]]:
    """Each name that a mark gives, and whether it stands on a test that pytest collects."""
    tree = ast.parse(source)
    marks = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    tests = [
        node
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    ]
    on_tests = {id(mark) for test in tests for mark in test.decorator_list}
    for mark in marks:
        if ast.unparse(mark.func) == MARK:
            for name in mark.args:
                yield ast.literal_eval(name), id(mark) in on_tests


@pytest.fixture(scope="module")
def marked() -> dict[str, set[str]]:
    """The names by the test file that they stand in."""
    found = {}
    for file in sorted((ROOT / "tests").rglob("test_*.py")):
        path = str(file.relative_to(ROOT))
        marks = list(names(file.read_text()))
        assert all(on_test for _, on_test in marks), f"{path}: a mark stands on no test"
        found[path] = {name for name, _ in marks}
    return found


def test_each_row_is_named_once() -> None:
    page = PAGE.read_text()
    found = rows(page)
    assert len(found) == len(set(found)) >= 24
    table = page.partition("## Failures")[2].partition("\n## ")[0]
    assert len(found) == table.count("\n|") - 2, "a row without a name"


@pytest.mark.parametrize("row", rows(PAGE.read_text()))
def test_each_row_has_a_test_that_names_it(row: str, marked: dict[str, set[str]]) -> None:
    assert [name for name, found in marked.items() if row in found], f"no test proves {row}"


def test_no_test_names_a_row_that_is_not_there(marked: dict[str, set[str]]) -> None:
    known = set(rows(PAGE.read_text()))
    assert {name: found - known for name, found in marked.items() if found - known} == {}


def test_a_mark_is_found_and_one_that_stands_on_no_test_too() -> None:
    source = """
@pytest.mark.row("a")
@pytest.mark.row("b")
def test_it(): ...

@pytest.mark.row("c")
def helper(): ...
"""
    assert sorted(names(source)) == [("a", True), ("b", True), ("c", False)]
