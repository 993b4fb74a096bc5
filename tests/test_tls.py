"""Servers of one's own, reached with TLS and credentials."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests import tls
from tests.support import wait_until
from tests.system import System, running

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


@pytest.mark.parametrize("name", NAMES)
def test_one_whose_certificate_is_not_trusted_is_named(
    tmp_path: Path, authority: tls.Authority, name: str
) -> None:
    with NAMES[name](tmp_path / "server", authority) as address:
        system = System(tmp_path / "home", **{name: address})
        system.environment.pop("SSL_CERT_FILE", None)
        try:
            up = system.koinx("up", "--demo", "--detach")
        finally:
            system.koinx("down")
        assert up.returncode == 1
        assert "CERTIFICATE_VERIFY_FAILED" in up.stdout + up.stderr
        assert tls.PASSWORD not in up.stdout + up.stderr
