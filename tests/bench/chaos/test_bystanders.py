"""The strangers of `bench.chaos.supervisor_cycles` notice what reaches them."""

import os
import signal
from pathlib import Path

from bench.chaos.bystanders import Stranger
from bench.harness.services import wait_until


def test_a_signal_is_noted_and_an_end_as_well(tmp_path: Path) -> None:
    stranger = Stranger(tmp_path / "notes")
    assert stranger.signals() == []
    os.kill(stranger.pid, signal.SIGTERM)
    wait_until(stranger.signals, "a signal to be noted")
    assert stranger.signals() == [str(int(signal.SIGTERM))]
    os.kill(stranger.pid, signal.SIGKILL)
    wait_until(lambda: stranger.signals()[1:] == ["ended with -9"], "its end to be noted")
    stranger.end()
