"""Who may see the dashboard."""

import re
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from urllib.parse import unquote_to_bytes

import pytest
from flask import Flask
from flask.testing import FlaskClient

from access.login_attempts import ATTEMPTS_PER_MINUTE
from bench.harness.system import System
from dash_ui.app import create_app
from dash_ui.auth.login_link import LINK_LIFETIME, create_link
from dash_ui.auth.session import KEY_FILE
from settings import ROOT
from supervisor.state_dir import StateDir

pytestmark = pytest.mark.system

API = "http://127.0.0.1:1"
PATHS = (
    *("/", "/coin/bitcoin", "/servers/output/api", "/nothing", "/assets/koinx.js"),
    *("/_dash-layout", "/_dash-dependencies", "/_dash-update-component"),
)
PASSWORD = "open sesame"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("login") / "home"


@pytest.fixture(scope="module")
def server(home: Path) -> Flask:
    """A dashboard of this machine, which has no password."""
    made: Flask = create_app(API, home=home).server
    return made


@pytest.fixture
def client(server: Flask) -> FlaskClient:
    return server.test_client()


def linked(home: Path, address: str = "/", lasts: timedelta = LINK_LIFETIME) -> str:
    """The address with a token of a new link."""
    query = create_link("", StateDir(home), lasts).partition("?")[2]
    return f"{address}{'&' if '?' in address else '?'}{query}"


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
@pytest.mark.row("local-stranger")
def test_without_a_link_nothing_is_shown(client: FlaskClient, path: str, method: str) -> None:
    answer = client.open(path, method=method)
    assert answer.status_code == 401
    assert "Set-Cookie" not in answer.headers
    if method != "HEAD":
        assert "Run <code>./koinx status</code>" in answer.text
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    # A browser that is asked for a password would not show the page.
    assert "WWW-Authenticate" not in answer.headers


def test_health_needs_no_link(client: FlaskClient) -> None:
    assert client.get("/health").text == "OK"


def test_a_link_opens_the_dashboard_once(client: FlaskClient, server: Flask, home: Path) -> None:
    address = linked(home)
    opened = client.get(address)
    assert (opened.status_code, opened.headers["Location"]) == (303, "/")
    cookie = opened.headers["Set-Cookie"]
    for part in ("HttpOnly", "SameSite=Lax", "Path=/", "Expires="):
        assert part in cookie
    assert address.partition("=")[2] not in str(opened.headers) + opened.text
    assert client.get("/").status_code == 200
    with client.get("/assets/koinx.js") as asset:
        assert asset.status_code == 200
    # When another browser opens the same link
    refused = server.test_client().get(address)
    # Then
    assert refused.status_code == 401
    assert "This link has expired or was already used" in refused.text
    # Who is let in already need not care.
    assert client.get(address).headers["Location"] == "/"


@pytest.mark.parametrize("path", ["/", "/_dash-layout"])
def test_a_wrong_token_or_one_that_is_over_is_refused(
    client: FlaskClient, home: Path, path: str
) -> None:
    for address in (f"{path}?token=wrong", f"{path}?token=", linked(home, path, timedelta(0))):
        answer = client.get(address)
        assert answer.status_code == 401
        assert "This link has expired or was already used" in answer.text


def test_looking_at_a_link_without_opening_it_leaves_it_good(
    client: FlaskClient, home: Path
) -> None:
    address = linked(home)
    assert client.head(address).status_code == 401
    assert client.post(address).status_code == 401
    assert client.get(address).status_code == 303


@pytest.mark.parametrize(
    ("address", "then"),
    [
        ("/coin/bitcoin?range=7d&scale=log", "/coin/bitcoin?range=7d&scale=log"),
        ("/?unit=a%26b&x=1+2&%74oken=first", "/?unit=a%26b&x=1+2"),
        ("/coin/caf%C3%A9%20%3F", "/coin/caf%C3%A9%20%3F"),
        ("//evil.example/", "/evil.example/"),
        ("///evil.example", "/evil.example"),
        ("/%5Cevil.example", "/%5Cevil.example"),
        ("/%0D%0ASet-Cookie:a=b", "/%0D%0ASet-Cookie:a=b"),
    ],
)
def test_the_rest_of_the_address_stays(server: Flask, home: Path, address: str, then: str) -> None:
    path, _, query = linked(home, address).partition("?")
    good = query.rpartition("=")[2]
    # The first token counts where there are two.
    query = query.replace("=first", f"={good}")
    environ = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": _decoded(path),
        "QUERY_STRING": query,
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.url_scheme": "http",
    }
    with server.request_context(environ):
        answer = server.full_dispatch_request()
    assert (answer.status_code, answer.headers["Location"]) == (303, then)


def _decoded(path: str) -> str:
    """As PEP 3333 has a path: its bytes, each as a character."""
    return unquote_to_bytes(path).decode("latin-1")


def test_a_session_outlives_a_restart_and_ends_with_its_time(
    client: FlaskClient, home: Path
) -> None:
    client.get(linked(home))
    restarted = create_app(API, home=home).server
    known = visitor(restarted, client).get("/")
    assert known.status_code == 200
    # Each answer makes it last longer.
    name = str(restarted.config["SESSION_COOKIE_NAME"])
    assert any(one.startswith(f"{name}=") for one in known.headers.getlist("Set-Cookie"))
    restarted.permanent_session_lifetime = timedelta(seconds=-1)
    assert visitor(restarted, client).get("/").status_code == 401


def test_without_the_key_that_signed_it_no_session_is_good(tmp_path: Path) -> None:
    client = create_app(API, home=tmp_path).server.test_client()
    client.get(linked(tmp_path))
    (tmp_path / "run" / KEY_FILE).unlink()
    restarted = create_app(API, home=tmp_path).server
    assert visitor(restarted, client).get("/").status_code == 401


def test_two_dashboards_of_one_machine_get_along_in_one_browser(home: Path, tmp_path: Path) -> None:
    """A browser keeps cookies by host: a port makes no difference."""
    servers = [create_app(API, home=one).server for one in (home, tmp_path)]
    browser = visitor(servers[0])
    browser.get(linked(home))
    assert visitor(servers[1], browser).get("/").status_code == 401
    browser = visitor(servers[1], browser)
    browser.get(linked(tmp_path))
    for server in (*servers, *servers):
        browser = visitor(server, browser)
        assert browser.get("/").status_code == 200
    for server in servers:
        answer = visitor(server, browser).post("/_dash-update-component", json={})
        assert answer.status_code not in (401, 403)


def visitor(server: Flask, before: FlaskClient | None = None) -> FlaskClient:
    """A browser on its way to `server`, with the cookies that it has from `before`."""
    made = server.test_client()
    if before is not None:
        made._cookies = before._cookies
    return made


@pytest.mark.parametrize("cookie", ["", "wrong", "eyJrbm93biI6dHJ1ZX0.aRz5xQ.c2lnbmF0dXJl"])
def test_a_made_up_session_is_none(server: Flask, cookie: str) -> None:
    client = server.test_client()
    client.set_cookie(str(server.config["SESSION_COOKIE_NAME"]), cookie)
    assert client.get("/").status_code == 401


def test_who_shares_the_home_alone_can_sign_sessions(home: Path) -> None:
    file = home / "run" / KEY_FILE
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.stat().st_size >= 43


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Flask, Path]:
    """A dashboard that other machines can reach."""
    home = tmp_path_factory.mktemp("password")
    made = create_app(API, host="0.0.0.0", home=home, password=PASSWORD).server
    return made, home


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("auth", [None, ("", "wrong"), (PASSWORD, ""), ("", "ö")])
@pytest.mark.row("other-machine")
def test_without_the_password_nothing_is_shown(
    guarded: tuple[Flask, Path], path: str, auth: tuple[str, str] | None
) -> None:
    answer = guarded[0].test_client().get(path, auth=auth)
    assert answer.status_code == 401
    assert "Basic" in answer.headers["WWW-Authenticate"]
    assert "Password required" in answer.text


def test_with_it_the_page_is_shown_under_whatever_name_the_machine_has(
    guarded: tuple[Flask, Path],
) -> None:
    client = guarded[0].test_client()
    headers = {"Host": "192.0.2.7:8050"}
    assert client.get("/", auth=("anyone", PASSWORD), headers=headers).status_code == 200
    assert client.get("/health", headers=headers).status_code == 200


def test_beside_the_password_a_link_opens_it_too(guarded: tuple[Flask, Path]) -> None:
    server, home = guarded
    client = server.test_client()
    address = linked(home)
    assert client.get(address).status_code == 303
    assert client.get("/").status_code == 200
    refused = server.test_client().get(address)
    assert (refused.status_code, "WWW-Authenticate" in refused.headers) == (401, True)


def dashboard(home: Path, password: str | None = PASSWORD) -> FlaskClient:
    made: FlaskClient = create_app(
        API, host="0.0.0.0", home=home, password=password
    ).server.test_client()
    return made


@pytest.mark.row("guessing")
def test_after_ten_wrong_passwords_none_of_the_address_is_looked_at(tmp_path: Path) -> None:
    client = dashboard(tmp_path)
    opened = dashboard(tmp_path)
    opened.get(linked(tmp_path))
    for number in range(ATTEMPTS_PER_MINUTE):
        assert client.get("/", auth=("", f"wrong-{number}")).status_code == 401
    for password in ("another", PASSWORD):
        refused = client.get("/", auth=("", password))
        assert refused.status_code == 429
        assert 1 <= int(refused.headers["Retry-After"]) <= 60
        assert "Too many wrong passwords" in refused.text
    # Nobody is counted who guesses nothing, and no other address.
    assert client.get("/").status_code == 401
    other = {"REMOTE_ADDR": "192.0.2.9"}
    assert client.get("/", auth=("", PASSWORD), environ_base=other).status_code == 200
    assert visitor(client.application, opened).get("/").status_code == 200


@pytest.mark.row("guessing")
def test_nobody_s_guesses_keep_out_who_has_given_the_password(tmp_path: Path) -> None:
    owner = dashboard(tmp_path)
    assert owner.get("/", auth=("", PASSWORD)).status_code == 200
    stranger = owner.application.test_client()
    for number in range(ATTEMPTS_PER_MINUTE + 1):
        stranger.get("/", auth=("", f"wrong-{number}"))
    assert stranger.get("/", auth=("", PASSWORD)).status_code == 429
    assert owner.get("/", auth=("", PASSWORD)).status_code == 200


@pytest.mark.row("guessing")
def test_guesses_through_a_proxy_keep_nobody_out_who_is_at_the_machine(tmp_path: Path) -> None:
    client = dashboard(tmp_path)
    proxied = {"X-Forwarded-For": "203.0.113.9"}
    for number in range(ATTEMPTS_PER_MINUTE):
        client.get("/", auth=("", f"wrong-{number}"), headers=proxied)
    assert client.get("/", auth=("", PASSWORD), headers=proxied).status_code == 429
    assert client.get("/", auth=("", PASSWORD)).status_code == 200


def test_a_browser_that_goes_on_with_an_old_password_is_not_locked_out(tmp_path: Path) -> None:
    client = dashboard(tmp_path)
    for _ in range(3 * ATTEMPTS_PER_MINUTE):
        assert client.post("/_dash-update-component", auth=("", "of last year")).status_code == 401
    assert client.get("/", auth=("", PASSWORD)).status_code == 200


@pytest.mark.parametrize("password", ["another password", None, PASSWORD + " "])
@pytest.mark.row("other-machine")
def test_a_session_ends_as_the_password_changes(tmp_path: Path, password: str | None) -> None:
    client = dashboard(tmp_path)
    client.get(linked(tmp_path))
    same, changed = dashboard(tmp_path), dashboard(tmp_path, password)
    assert visitor(same.application, client).get("/").status_code == 200
    assert visitor(changed.application, client).get("/").status_code == 401


def test_a_session_ends_as_a_password_is_set(tmp_path: Path) -> None:
    client = dashboard(tmp_path, None)
    client.get(linked(tmp_path), headers={"Host": "localhost"})
    assert visitor(dashboard(tmp_path).application, client).get("/").status_code == 401


@pytest.mark.parametrize(
    ("headers", "secure"),
    [
        ({}, False),
        ({"X-Forwarded-Proto": "http"}, False),
        ({"Forwarded": "for=192.0.2.1;proto=http"}, False),
        ({"Forwarded": "for=https"}, False),
        ({"X-Forwarded-Proto": "https"}, True),
        ({"X-Forwarded-Proto": "HTTPS, http"}, True),
        ({"Forwarded": 'for=192.0.2.1;proto="https", for=127.0.0.1'}, True),
    ],
)
@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.row("other-machine")
def test_under_tls_no_cookie_is_ever_sent_in_the_clear(
    tmp_path: Path, headers: dict[str, str], secure: bool, scheme: str
) -> None:
    client = dashboard(tmp_path)
    base = f"{scheme}://localhost"
    opened = client.get(linked(tmp_path), headers=headers, base_url=base)
    page = client.get("/", headers=headers, base_url=base, auth=("", PASSWORD))
    cookies = [*opened.headers.getlist("Set-Cookie"), *page.headers.getlist("Set-Cookie")]
    assert len(cookies) >= 2
    for cookie in cookies:
        assert ("Secure" in cookie) == (secure or scheme == "https")
        assert "HttpOnly" in cookie


def test_with_a_password_no_home_is_needed(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for home in (None, tmp_path / "file"):
        client = create_app(API, home=home, password=PASSWORD).server.test_client()
        assert client.get("/", auth=("", PASSWORD)).status_code == 200
        assert client.get("/?token=x").status_code == 401


def test_without_one_a_home_that_cannot_be_used_ends_the_start(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    system = System(tmp_path / "file")
    ran = subprocess.run(
        [sys.executable, "-c", "import dash_ui.wsgi"],
        cwd=ROOT,
        env=system.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 1
    assert re.search(r"KOINX_HOME=.*/file cannot be used .*or set DASH_PASSWORD", ran.stderr)


def test_a_dashboard_without_home_and_password_asks_for_nothing() -> None:
    assert create_app(API).server.test_client().get("/").status_code == 200


@pytest.mark.parametrize("header", ["Forwarded", "X-Forwarded-For", "Via", "X-Real-IP"])
@pytest.mark.row("forwarded")
def test_but_not_what_a_proxy_passed_on(header: str) -> None:
    client = create_app(API).server.test_client()
    answer = client.get("/", headers={header: "127.0.0.1"})
    assert answer.status_code == 403
    assert "Set DASH_PASSWORD" in answer.text
    assert client.get("/health", headers={header: "127.0.0.1"}).text == "OK"
