"""No password of `~/.netrc` goes anywhere."""

import ast
import base64
from pathlib import Path

import pytest

from api_client.client import Client
from cli.doctor.source import source
from cli.up import first_update
from market.sources.coingecko import CoinGecko
from market.sources.http import Deadline, session
from settings import Settings
from tasks.notify import _deliver
from tests.harness.packages import modules
from tests.harness.wire import wire

HOST = "localhost.localdomain"  # not one that http_source knows as this machine's


@pytest.fixture(autouse=True)
def _netrc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "netrc"
    file.write_text("default login somebody password hunter2\n")
    file.chmod(0o600)
    monkeypatch.setenv("NETRC", str(file))
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(autouse=True)
def _resolves(monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    ask = socket.getaddrinfo
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda host, *rest, **known: ask("127.0.0.1", *rest, **known)
    )


def named(url: str) -> str:
    return url.replace("127.0.0.1", HOST)


@pytest.mark.row("netrc")
def test_the_source_gets_none_of_it() -> None:
    with wire() as server:
        made = CoinGecko(named(server.url))
        made.markets("usd", per_page=5, deadline=Deadline(5))
        made.close()
    assert len(server.requests) == 1
    assert "authorization" not in server.requests[0].lower()


@pytest.mark.row("netrc")
def test_doctor_asks_the_source_without_it() -> None:
    with wire() as server:
        source(Settings(coingecko_api_url=named(server.url)))
    assert server.requests
    assert not any("authorization" in asked.lower() for asked in server.requests)


@pytest.mark.parametrize(("user", "sent"), [("", None), ("me:p%40ss@", b"me:p@ss")])
@pytest.mark.row("netrc")
def test_a_webhook_gets_what_its_address_has_and_none_of_it(user: str, sent: bytes | None) -> None:
    with wire() as server:
        address = named(server.url).replace("://", f"://{user}")
        assert _deliver(address, {"id": 1, "state": "well"})
    (asked,) = server.requests
    expected = f"Authorization: Basic {base64.b64encode(sent).decode()}" if sent else None
    assert ("authorization" in asked.lower()) == (sent is not None)
    assert expected is None or expected in asked


def test_proxies_and_authorities_of_the_environment_still_count(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with wire() as proxy, session("http://nowhere.invalid") as made:
        monkeypatch.setenv("http_proxy", proxy.url)
        made.get("http://nowhere.invalid/path", timeout=5).raise_for_status()
        assert proxy.requests[0].startswith("GET http://nowhere.invalid/path ")
        assert "authorization" not in proxy.requests[0].lower()
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere/ca.pem")
    assert made.merge_environment_settings("https://h", {}, None, None, None)["verify"] == (
        "/nowhere/ca.pem"
    )


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "localhost", "[::1]"])
def test_what_is_on_this_machine_is_asked_without_a_proxy(
    monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    with wire() as server, wire() as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
        url = server.url.replace("127.0.0.1", host)
        made = CoinGecko(url)
        made.markets("usd", per_page=5, deadline=Deadline(5))
        made.close()
        source(Settings(coingecko_api_url=url))
        assert _deliver(url, {"id": 1, "state": "well"})
        first_update(Client(url, timeout=2), 0.1)
        assert len(server.requests) >= 4
        assert proxy.requests == []


@pytest.mark.row("netrc")
def test_no_other_way_leads_out() -> None:
    """Nobody calls `requests.get` and the like, and each session says what it does about it."""
    for file in modules():
        text = file.read_text()
        calls = [node.func for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)]
        names = {ast.unparse(call) for call in calls}
        short = {f"requests.{verb}" for verb in ("get", "post", "put", "head", "request")}
        assert not names & short, file
        assert "urllib.request" not in text, file
        if "requests.Session" in names:
            assert "session.trust_env = False" in text or ".auth = " in text, file
