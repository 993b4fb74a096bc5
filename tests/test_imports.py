"""Import rules that import-linter cannot check: its root packages are packages, no single files."""

import ast

from settings import ROOT

OURS = {"celeryconfig", "market", "bridge", "tasks", "api", "dash_ui"}


def test_settings_knows_nothing_of_ours() -> None:
    found = set()
    for node in ast.walk(ast.parse((ROOT / "settings.py").read_text())):
        if isinstance(node, ast.Import):
            found |= {name.name.partition(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add((node.module or "").partition(".")[0])
    assert "pydantic" in found
    assert not found & OURS
