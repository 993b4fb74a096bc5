"""Reliability: the process that publishes a slot's event is killed around its publish."""

import os
import signal
import subprocess
import sys

import pytest

from bridge.connection import Connection
from settings import ROOT
from tasks import schedule
from tasks.dependencies import Services
from tests.harness.schedule import YEARLY, call, events, name, on

__all__ = ["on"]

DYING = """
import os, signal, sys
from nats.js import JetStreamContext
from tasks import schedule

publish = JetStreamContext.publish

async def dying(*arguments, **named):
    if sys.argv[1] == "after":
        await publish(*arguments, **named)
    os.kill(os.getpid(), signal.SIGKILL)

JetStreamContext.publish = dying
schedule.publish_update.apply(kwargs={"scheduled": True})
"""


@pytest.mark.row("bridge-killed")
@pytest.mark.parametrize(("moment", "stored"), [("before", 0), ("after", 1)])
def test_whoever_tries_again_makes_no_second_event(
    on: Services, connection: Connection, moment: str, stored: int
) -> None:
    # Given a process that was killed just before, or just after, JetStream had its event
    died = subprocess.run(
        [sys.executable, "-c", DYING, moment],
        cwd=ROOT,
        env=os.environ | {"CRON_SCHEDULE": YEARLY.expression},
        timeout=30,
        check=False,
    )
    assert died.returncode == -signal.SIGKILL
    assert len(events(connection)) == stored
    # When its task is given to others
    for _ in range(2):
        assert call(schedule.publish_update, scheduled=True) == name(0)
    # Then the slot has one event
    assert [event.id for event in events(connection)] == [name(0)]
