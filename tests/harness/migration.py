"""`python -m cli.migrate` as a process, and the line with which it refuses."""

import os
import subprocess
import sys

from settings import ROOT


def prepare(**settings: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "cli.migrate"],
        cwd=ROOT,
        env=os.environ | settings,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def refusal(**settings: str) -> str:
    """The one line with which it ends."""
    ran = prepare(**settings)
    assert ran.returncode == 1
    assert ran.stdout == ""
    (line,) = ran.stderr.splitlines()
    return line
