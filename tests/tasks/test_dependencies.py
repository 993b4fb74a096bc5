"""What tasks work with: one set a process, made after the fork."""

import os
from collections.abc import Iterator

import pytest
from nats.aio.client import Client

from bridge.connection import Connection
from tasks.dependencies import Services, get_services
from tests.harness.worker import in_a_worker


@pytest.fixture
def on(environment: None, database: object, connection: Connection) -> Iterator[Services]:
    with in_a_worker() as made:
        yield made


def test_a_process_has_one_set_of_services(on: Services) -> None:
    assert get_services() is on
    assert on.settings.market == "demo"
    assert on.schedule.expression == on.settings.cron_schedule


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:MongoClient opened before fork:UserWarning")
@pytest.mark.row("forked")
def test_a_forked_child_works_with_services_of_its_own(on: Services) -> None:
    async def answer(client: Client) -> bool:
        await client.flush(timeout=2)
        return True

    on.ledger.count()
    assert on.nats.run(answer, 5)
    child = os.fork()
    if child == 0:
        code = 1
        try:
            mine = get_services()
            mine.ledger.receive("of the child", trigger="event", slot=None, hops={})
            code = 0 if mine is not on and mine.nats.run(answer, 5) else 2
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert on.ledger.get("of the child") is not None
    assert on.nats.run(answer, 5)
