"""`./koinx selftest` where there is no system; tests/e2e/test_operating.py has one."""

import json
import time
from pathlib import Path

import pytest
from nats.aio.client import Client
from pydantic import SecretStr

from bench.harness.services import free_port, wait_until
from bridge.connection import Connection, NotConnected
from bridge.events import REQUESTED
from cli import context
from cli.selftest import Selftest, StepFailed, requested_ids
from settings import Settings
from supervisor.control import Processes

pytestmark = pytest.mark.system


def way(home: Path, redis: str) -> Selftest:
    settings = Settings(koinx_home=home, redis_url=SecretStr(redis))
    return Selftest(Processes(home), settings, context.api(settings))


def test_where_nothing_runs_it_says_what_to_do(tmp_path: Path) -> None:
    settings = Settings(koinx_home=tmp_path)
    with pytest.raises(SystemExit, match="no embedded server runs"):
        Selftest(Processes(tmp_path), settings, context.api(settings))


def test_beat_is_known_by_its_sign_of_life(tmp_path: Path, redis: str) -> None:
    sign = tmp_path / "run" / "beat.json"
    sign.parent.mkdir()
    steps = way(tmp_path, redis).steps()
    assert next(steps).hop == "queue"
    assert "runs elsewhere" in next(steps).text, "a beat of another host"
    for age, lives in ((1, True), (60, False)):
        sign.write_text(json.dumps({"pid": 1, "at": time.time() - age}))
        steps = way(tmp_path, redis).steps()
        next(steps)
        if lives:
            assert next(steps).hop == "scheduled"
            continue
        with pytest.raises(StepFailed, match="last heartbeat: 6"):
            next(steps)


def test_a_password_is_not_told(tmp_path: Path) -> None:
    steps = way(tmp_path, f"redis://:secret@127.0.0.1:{free_port()}/0").steps()
    with pytest.raises(StepFailed) as broken:
        next(steps)
    assert broken.value.part == "redis"
    assert "secret" not in str(vars(broken.value))


def test_requested_ids_are_seen_and_malformed_messages_do_no_harm(nats: str) -> None:
    async def publish(client: Client) -> None:
        for message in (b"\xff", b"[1]", b'{"trigger": "update", "id": "one"}'):
            await client.publish(REQUESTED, message)
        await client.publish("other.subject", b'{"trigger": "update", "id": "two"}')
        await client.flush()

    publisher = Connection(nats, "test")
    try:
        with requested_ids(nats) as seen:
            publisher.run(publish, 5)
            wait_until(lambda: "one" in seen, "the event")
            assert "two" not in seen
    finally:
        publisher.close()


def test_a_nats_that_is_not_there_is_an_error() -> None:
    url = f"nats://127.0.0.1:{free_port()}"
    with pytest.raises(NotConnected), requested_ids(url):
        pytest.fail("nobody listens there")
