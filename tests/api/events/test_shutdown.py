"""What a process does once its server was told to end."""

import signal
import subprocess
import sys

import pytest

from settings import ROOT

# As a server: with handlers of its own, set before and after.
PROGRAM = """
import os, signal, threading
from api.events.shutdown import on_shutdown

def serve(number, frame):
    os.write(1, b"server %d\\n" % number)

def told():
    os.write(1, b"told\\n")
    ended.set()

ended = threading.Event()
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
    signal.signal(number, serve)
on_shutdown(told)
signal.signal(signal.SIGTERM, serve)
os.write(1, b"ready\\n")
ended.wait()
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_is_told_beside_the_server_s_own_handler(number: signal.Signals) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        # Another signal is the server's alone
        process.send_signal(signal.SIGUSR1)
        assert process.stdout.readline() == f"server {int(signal.SIGUSR1)}\n"
        process.send_signal(number)
        assert set(process.communicate(timeout=10)[0].split("\n")) == {
            *("told", f"server {int(number)}", "")
        }
        assert process.returncode == 0
