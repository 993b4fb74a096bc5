"""Configuring a process's logging."""

import json
import subprocess
import sys

from settings import ROOT

START = """
import logging, threading, warnings, logs
from logs import redaction
logging.getLogger("_granian").addHandler(logging.StreamHandler())
logs.set_up("test")
redaction.know(["hunter2"])
logging.getLogger("_granian.workers").info("Started %s", "worker-1")
warnings.warn("old: hunter2")
thread = threading.Thread(target=lambda: 1 / 0, name="feed")
thread.start()
thread.join()
raise RuntimeError("hunter2")
"""


def test_every_record_is_a_line_of_json_on_standard_error() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", START], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (ran.returncode, ran.stdout) == (1, "")
    assert "hunter2" not in ran.stderr
    server, warning, thread, end = map(json.loads, ran.stderr.splitlines())
    assert (server["event"], server["level"]) == ("Started worker-1", "info")
    assert (warning["logger"], warning["level"]) == ("py.warnings", "warning")
    assert (thread["event"], thread["of"]) == ("thread ended by an error", "feed")
    assert thread["exception"].endswith("ZeroDivisionError: division by zero")
    assert (end["event"], end["level"]) == ("process ended by an error", "critical")
    assert end["exception"].endswith("RuntimeError: …")
