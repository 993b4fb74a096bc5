"""Who may see the dashboard: who opened one of its links, or knows its password."""

import hashlib
import hmac
from datetime import timedelta
from urllib.parse import quote, unquote

from flask import Flask, Response, request, session
from flask.sessions import SecureCookieSessionInterface

from access.local_calls import is_forwarded, is_https
from access.login_attempts import GUESSES_PER_MINUTE, Guesses
from dash_ui.auth.login_link import PARAMETER, redeem
from settings.model import is_loopback
from supervisor.state_dir import StateDir

OPEN_PATHS = ("/health",)
KEY_FILE = "dashboard_key"  # what sessions are signed with; without it nobody is known any more
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
    f"Your address sent more than {GUESSES_PER_MINUTE} within a minute. Wait a minute, then reload "
    "the page.",
)
FORWARDED = (
    "This dashboard serves only its own machine",
    "Your request came through a proxy. Set DASH_PASSWORD to allow that, with a password.",
)
NO_PASSWORD = ("Password required", "Enter the DASH_PASSWORD of the settings.")


def require_login(server: Flask, folder: StateDir | None, password: str | None) -> None:
    """Every request but the health check comes with a session, or with the password if one is set.

    A link, which somebody left in `folder`, is exchanged for a session: a signed cookie. The
    password is asked for by HTTP basic authentication; the user name does not matter. OSError if
    `folder` cannot be used and there is no password; with one, there are no links then. Without
    both nobody is asked, but what a proxy passed on is refused.
    """
    if folder is None and password is None:
        server.before_request(_refuse_forwarded)
        return
    if folder is not None:
        folder = _with_sessions(server, folder, password)
    guesses = Guesses()

    @server.before_request
    def check() -> Response | None:
        if request.path in OPEN_PATHS:
            return None
        token = request.args.get(PARAMETER) if request.method == "GET" else None
        known = _has_session(folder)
        if not known and password is not None and request.authorization is not None:
            address = request.remote_addr or ""
            if is_loopback(address) and is_forwarded(request.headers.keys()):
                # What a proxy on this machine passes on does not keep out who is at it.
                address = "forwarded"
            if (wait := guesses.wait(address)) is not None:
                return _refusal(TOO_MANY, 429, {"Retry-After": str(wait)})
            given = request.authorization.password or ""
            known = hmac.compare_digest(given.encode(), password.encode())
            if not known:
                guesses.failed(address, given)
            elif folder is not None:
                # From now on nobody's guesses keep this browser out.
                session.permanent = session["known"] = True
        if token is not None and folder is not None:
            # It is used up by those who need none as well: nobody finds a good one lying about.
            if redeem(folder, token):
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
    """Their cookie is never sent in the clear where the browser speaks TLS."""

    def get_cookie_secure(self, app: Flask) -> bool:
        """As the request came, perhaps through a proxy."""
        return is_https(request.scheme, dict(request.headers))


def _with_sessions(server: Flask, folder: StateDir, password: str | None) -> StateDir | None:
    try:
        folder.create()
        key = folder.secret(KEY_FILE)
    except OSError:
        if password is None:
            raise
        return None
    # Sessions end with the password under which they began.
    if password is not None:
        key = hmac.digest(key.encode(), password.encode(), "sha256").hex()
    server.secret_key = key
    server.session_interface = Sessions()
    server.config.update(
        # Cookies know hosts, not ports: another home's dashboard has one of its own.
        SESSION_COOKIE_NAME=f"koinx_{hashlib.sha256(str(folder.home).encode()).hexdigest()[:8]}",
        # Not Strict: where the link is clicked on another site, as in a terminal that is a web
        # page, the browser would hold back the cookie from the very page that the link opens.
        # What changes something needs the page's own cookie besides, which is strict.
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_HTTPONLY=True,
        PERMANENT_SESSION_LIFETIME=SESSION,
    )
    return folder


def _has_session(folder: StateDir | None) -> bool:
    return folder is not None and session.get("known") is True


def _without_token() -> str:
    """The address that was asked for, as it was, without its token."""
    parts = request.query_string.decode("latin-1").split("&")
    query = "&".join(part for part in parts if unquote(part.partition("=")[0]) != PARAMETER)
    # It begins with one slash, however many were asked for: two would name another host.
    path = quote(request.path, safe="/:@!$&'()*+,;=~")
    return f"{path}?{query}" if query else path


def _refusal(said: tuple[str, str], status: int, headers: dict[str, str] | None = None) -> Response:
    heading, text = said
    page = PAGE.replace("@heading", heading).replace("@text", text)
    return Response(
        page, status, {"Cache-Control": "no-store", **(headers or {})}, mimetype="text/html"
    )
