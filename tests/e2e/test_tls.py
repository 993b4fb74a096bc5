"""Servers of one's own, reached with TLS and credentials."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
import redis
from nats.aio.client import Client
from pymongo import MongoClient

from bench.harness.services import wait_until
from bench.harness.system import running
from bridge.connection import Connection
from market.storage.database import Document
from tests.harness import tls
from tests.harness.tls_only import listens

NAMES = {"MONGODB_URI": tls.mongodb, "NATS_URL": tls.nats, "REDIS_URL": tls.redis}


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> tls.Authority:
    return tls.Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def addresses(tmp_path: Path, authority: tls.Authority) -> Iterator[dict[str, str]]:
    """The three settings, for servers that are up."""
    with ExitStack() as stack:
        yield {
            name: stack.enter_context(started(tmp_path / name, authority))
            for name, started in NAMES.items()
        }


def test_updates_go_their_way_with_tls_and_passwords(
    tmp_path: Path, authority: tls.Authority, addresses: dict[str, str]
) -> None:
    trusted = {"SSL_CERT_FILE": str(authority.file)}
    with running(tmp_path / "home", "--demo", **addresses, **trusted) as system:
        wait_until(lambda: system.get("/stats?coin=bitcoin").ok, "quotes", 30)
        assert set(system.status()) == {"market", "api", "worker", "beat", "dashboard"}
        ready = system.get("/ready")
        assert ready.status_code == 200, ready.text
        written = "".join(path.read_text() for path in (tmp_path / "home" / "logs").iterdir())
        for secret in (tls.PASSWORD, tls.PLAIN_PASSWORD):
            assert secret not in written


def ask_mongodb(address: str) -> None:
    with MongoClient[Document](address, serverSelectionTimeoutMS=1000) as client:
        client.admin.command("ping")


def ask_nats(address: str) -> None:
    with closing(Connection(address, "test")) as connection:

        async def ask(client: Client) -> None:
            await client.flush()

        connection.run(ask, 5)


def ask_redis(address: str) -> None:
    with redis.Redis.from_url(address) as client:
        client.ping()


# Of a handshake that failed asyncio leaves the socket to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(
    ("name", "ask"),
    [("MONGODB_URI", ask_mongodb), ("NATS_URL", ask_nats), ("REDIS_URL", ask_redis)],
)
def test_one_whose_certificate_is_not_trusted_is_not_spoken_to(
    tmp_path: Path, authority: tls.Authority, name: str, ask: Callable[[str], None]
) -> None:
    with NAMES[name](tmp_path, authority) as address:
        wait_until(lambda: listens(address), "the server")
        with pytest.raises(Exception, match=r"CERTIFICATE_VERIFY_FAILED|certificate verify failed"):
            ask(address)
