"""The cost of importing logs."""

import subprocess
import sys

from settings import ROOT


def test_a_command_that_logs_nothing_does_not_load_structlog() -> None:
    look = "import cli.main, sys; print('structlog' in sys.modules)"
    ran = subprocess.run(
        [sys.executable, "-c", look], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert ran.stdout == "False\n"
