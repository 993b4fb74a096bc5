"""The shape of the project: who imports whom beyond what import-linter can say."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from settings import ROOT


def imports(folder: str) -> Iterator[tuple[Path, str]]:
    """Each module under the folder, with each module or name that it imports, dotted."""
    for file in sorted((ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                yield from ((file, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                yield from ((file, f"{node.module}.{alias.name}") for alias in node.names)


def test_no_test_module_imports_another() -> None:
    """What several test modules share stands in tests/harness."""
    found = [
        f"{file.relative_to(ROOT)} imports {name}"
        for file, name in imports("tests")
        if name.startswith("tests.") and any(part.startswith("test_") for part in name.split("."))
    ]
    assert found == []


def test_bench_imports_nothing_of_the_tests() -> None:
    assert [f"{file}: {name}" for file, name in imports("bench") if name.startswith("tests")] == []


def test_no_test_stops_the_time_of_the_whole_process() -> None:
    """Threads of earlier tests go on, and would spin where `sleep` returns at once."""
    patched = re.compile(r"""setattr\(\s*(?:"[\w.]*\btime\.(?:sleep|time|monotonic)"|time, )""")
    files = (ROOT / "tests").rglob("test_*.py")
    assert [file.name for file in files if patched.search(file.read_text())] == []
