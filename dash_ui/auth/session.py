"""Requires a login for the dashboard: a login link, or the password."""

import hashlib
import hmac
from datetime import timedelta
from urllib.parse import quote, unquote

from flask import Flask, Response, request, session
from flask.sessions import SecureCookieSessionInterface

from access.local_calls import is_forwarded, is_https
from access.login_attempts import ATTEMPTS_PER_MINUTE, LoginAttempts
from dash_ui.auth.login_link import PARAMETER, redeem
from settings.model import is_loopback
from supervisor.state_dir import StateDir

OPEN_PATHS = ("/health",)
KEY_FILE = "dashboard_key"  # signs the sessions; deleting it ends all of them
SESSION = timedelta(days=30)  # after the last request
PAGE = """<!DOCTYPE html>
<html lang="en">
    <head>
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <title>KoinX</title>
        <link rel="icon" href="data:,">
        <style>
            body { max-width: 40em; margin: 3em auto; padding: 0 1em; font-family: sans-serif }
            :root { color-scheme: light dark }
        </style>
    </head>
    <body>
        <main>
            <h1>@heading</h1>
            <p>@text</p>
        </main>
    </body>
</html>"""
CURE = (
    "Run <code>./koinx status</code> in the project's folder to get a new link. If the dashboard "
    "was started without <code>./koinx</code>, run "
    "<code>.venv/bin/python -m dash_ui.auth.login_link</code>."
)
NO_LINK = ("Open the dashboard with a login link", CURE)
NO_GOOD = (
    "This link has expired or was already used",
    f"Each link works once, for a limited time. {CURE}",
)
TOO_MANY = (
    "Too many wrong passwords",
    f"Your address sent more than {ATTEMPTS_PER_MINUTE} within a minute. Wait a minute, then "
    "reload the page.",
)
FORWARDED = (
    "This dashboard serves only its own machine",
    "Your request came through a proxy. Set DASH_PASSWORD to allow that, with a password.",
)
NO_PASSWORD = ("Password required", "Enter the DASH_PASSWORD of the settings.")


def require_login(server: Flask, state_dir: StateDir | None, password: str | None) -> None:
    """Require a session, or the password if one is set, for every request but the health check.

    A login link that was created in `state_dir` is exchanged for a session: a signed cookie. HTTP
    basic authentication asks for the password, with any user name. If `state_dir` cannot be used,
    that is an OSError without a password; with one, login links are off. With neither, no login is
    required, but requests through a proxy are refused.
    """
    if state_dir is None and password is None:
        server.before_request(_refuse_forwarded)
        return
    if state_dir is not None:
        state_dir = _enable_sessions(server, state_dir, password)
    guesses = LoginAttempts()

    @server.before_request
    def check() -> Response | None:
        if request.path in OPEN_PATHS:
            return None
        token = request.args.get(PARAMETER) if request.method == "GET" else None
        known = state_dir is not None and session.get("known") is True
        if not known and password is not None and request.authorization is not None:
            address = request.remote_addr or ""
            if is_loopback(address) and is_forwarded(request.headers.keys()):
                # Wrong passwords through a local proxy must not lock out the machine's own user.
                address = "forwarded"
            if (wait := guesses.retry_after(address)) is not None:
                return _refusal(TOO_MANY, 429, {"Retry-After": str(wait)})
            given = request.authorization.password or ""
            known = hmac.compare_digest(given.encode(), password.encode())
            if not known:
                guesses.record_failure(address, given)
            elif state_dir is not None:
                # With a session, other people's wrong passwords cannot lock this browser out.
                session.permanent = session["known"] = True
        if token is not None and state_dir is not None:
            # A browser that is signed in uses the token up too, so that no valid one is left over.
            if redeem(state_dir, token):
                known = session.permanent = session["known"] = True
            if known:
                return Response(status=303, headers={"Location": _without_token()})
        if known:
            return None
        if password is not None:
            ask = {"WWW-Authenticate": 'Basic realm="KoinX", charset="UTF-8"'}
            return _refusal(NO_PASSWORD, 401, ask)
        return _refusal(NO_LINK if token is None else NO_GOOD, 401)


def _refuse_forwarded() -> Response | None:
    is_open = request.path in OPEN_PATHS or not is_forwarded(request.headers.keys())
    return None if is_open else _refusal(FORWARDED, 403)


class Sessions(SecureCookieSessionInterface):
    """Sessions whose cookie is sent only over TLS if the browser uses TLS."""

    def get_cookie_secure(self, app: Flask) -> bool:
        """Whether the request used TLS, perhaps up to a proxy."""
        return is_https(request.scheme, dict(request.headers))


def _enable_sessions(server: Flask, state_dir: StateDir, password: str | None) -> StateDir | None:
    try:
        state_dir.create()
        key = state_dir.secret(KEY_FILE)
    except OSError:
        if password is None:
            raise
        return None
    # A new password ends the sessions that the old one began.
    if password is not None:
        key = hmac.digest(key.encode(), password.encode(), "sha256").hex()
    server.secret_key = key
    server.session_interface = Sessions()
    server.config.update(
        # Cookies ignore ports: the dashboard of another home needs another name.
        SESSION_COOKIE_NAME=f"koinx_{hashlib.sha256(str(state_dir.home).encode()).hexdigest()[:8]}",
        # Not Strict: after a click on the link in another site, such as a web terminal, the browser
        # would not send the cookie to the page that the link opens. Requests that change something
        # also need the page's own cookie, which is strict.
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_HTTPONLY=True,
        PERMANENT_SESSION_LIFETIME=SESSION,
    )
    return state_dir


def _without_token() -> str:
    """The requested URL without its token."""
    parts = request.query_string.decode("latin-1").split("&")
    query = "&".join(part for part in parts if unquote(part.partition("=")[0]) != PARAMETER)
    # One leading slash, however many were sent: two would name another host.
    path = quote(request.path, safe="/:@!$&'()*+,;=~")
    return f"{path}?{query}" if query else path


def _refusal(
    message: tuple[str, str], status: int, headers: dict[str, str] | None = None
) -> Response:
    page = PAGE.replace("@heading", message[0]).replace("@text", message[1])
    no_store = {"Cache-Control": "no-store"} | (headers or {})
    return Response(page, status, no_store, mimetype="text/html")
