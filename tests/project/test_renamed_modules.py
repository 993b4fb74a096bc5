"""Module paths of version 0.1 that the documentation named still run, for one release."""

import re
import subprocess
import sys
from importlib.util import find_spec

import pytest

from settings import ROOT

pytestmark = pytest.mark.system

RENAMED = {
    old: new
    for file in ROOT.glob("*/**/*.py")
    if ".venv" not in file.parts
    for old, new in re.findall(r'^    run_renamed\("(.+?)", "(.+?)"\)', file.read_text(), re.M)
}


def test_each_old_path_leads_to_a_module() -> None:
    assert RENAMED["dash_ui.link"] == "dash_ui.auth.login_link"
    for module in (*RENAMED, *RENAMED.values()):
        assert find_spec(module) is not None, module
    assert len(RENAMED) >= 19


def test_an_old_path_does_what_the_new_one_does_and_names_it() -> None:
    command = [sys.executable, "-m", "api.prepare", "--help"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert "python -m cli.migrate [-h]" in done.stdout
    assert done.stderr == "python -m api.prepare is deprecated: use python -m cli.migrate\n"
