"""Decides who may change something, and who may read: this machine, or whoever has the key."""

import hmac
from collections.abc import Callable, Iterable
from functools import wraps
from typing import TYPE_CHECKING, NoReturn, ParamSpec, TypeVar
from urllib.parse import urlsplit

from flask import Flask, request

from access.local_calls import is_local
from access.login_attempts import ATTEMPTS_PER_MINUTE
from api.errors import refuse
from api.extensions import current_services
from api.protection.rate_limit import CHANGES_PER_MINUTE
from api.schemas.fields import shown
from settings import is_loopback

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

P = ParamSpec("P")
R = TypeVar("R")

KEY_HEADER = "X-API-Key"
KEY_SECURITY: list[dict[str, list[str]]] = [{"apiKey": []}, {}]  # in the OpenAPI document
PORTS = {"http": 80, "https": 443}
# Open to all, since they reveal no price and no update: health checks and the documentation
OPEN = frozenset(("system.health", "system.ready", "openapi"))
OPEN_BLUEPRINT = "explorer"


def restricted(view: Callable[P, R]) -> Callable[P, R]:
    """Refuses a call from another machine without the key, one sent by a page of another site, and
    one beyond the rate limit of its address.

    A browser names the page's origin; a DNS name that was rebound to this machine shows in `Host`.
    A call that a proxy forwarded counts as one from another machine, wherever the proxy is.
    """

    @wraps(view)
    def checked(*args: P.args, **kwargs: P.kwargs) -> R:
        address = request.remote_addr or ""
        local = is_local(address, request.headers.keys())
        if not _has_key(address, local=local):
            if not local:
                refuse(401, f"Calls from other machines need the API key, as {KEY_HEADER}")
            if not is_loopback(host := _host()):
                refuse(403, f"Requests from other sites are not allowed (Host: {host})")
            origin = request.headers.get("Origin")
            if origin is not None and _origin_parts(origin) != _origin_parts(request.host_url):
                refuse(403, f"Requests from other sites are not allowed (Origin: {shown(origin)})")
        if (wait := current_services().rate_limiter.wait(address)) is not None:
            _refuse_for(wait, f"More than {CHANGES_PER_MINUTE} calls in a minute")
        return view(*args, **kwargs)

    return checked


def require_key(app: Flask, cached: "WSGIApplication") -> "WSGIApplication":
    """Returns a WSGI application that refuses every call without the key, reads included.

    `cached` answers before the app's own hooks and checks no key, so it gets only the calls that
    this machine sends with the key.
    """
    inner = app.wsgi_app

    @app.before_request
    def check_key() -> None:
        if request.endpoint in OPEN or request.blueprint == OPEN_BLUEPRINT:
            return
        address = request.remote_addr or ""
        if not _has_key(address, local=is_local(address, request.headers.keys())):
            refuse(
                401,
                f"LOCAL_ACCESS=key: every call needs the API key, as {KEY_HEADER}. "
                "It is API_KEY, or in run/api_key under KOINX_HOME",
            )

    def choose(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        return (cached if _brings_key(environ) else inner)(environ, start_response)

    def _brings_key(environ: "WSGIEnvironment") -> bool:
        given = environ.get("HTTP_X_API_KEY")
        if given is None:
            return False
        names = (name[5:].replace("_", "-") for name in environ if name.startswith("HTTP_"))
        with app.app_context():
            return is_local(environ.get("REMOTE_ADDR", ""), names) and _is_key(given)

    return choose


def _has_key(address: str, *, local: bool) -> bool:
    """Whether the call has the key. After too many wrong keys none is checked for a while: a call
    from this machine goes on without, any other is told to wait.

    Where calls from this machine need the key as well, their wrong keys do not count: all accounts
    share one address, and one of them could lock the others out.
    """
    key, given = current_services().settings.api_key, request.headers.get(KEY_HEADER)
    if key is None or given is None:
        return False
    if local and current_services().settings.local_access == "key":
        return _is_key(given)
    guesses = current_services().guesses
    # A call that a proxy on this machine forwards must not lock out calls from this machine.
    caller = address if local or not is_loopback(address) else "forwarded"
    if (wait := guesses.retry_after(caller)) is not None:
        if local:
            return False
        _refuse_for(wait, f"More than {ATTEMPTS_PER_MINUTE} wrong keys in a minute")
    if _is_key(given):
        return True
    guesses.record_failure(caller, given)
    return False


def _is_key(given: str) -> bool:
    key = current_services().settings.api_key
    return key is not None and hmac.compare_digest(
        given.encode(errors="replace"), key.get_secret_value().encode()
    )


def _refuse_for(seconds: int, why: str) -> NoReturn:
    refuse(429, f"{why}: wait {seconds} s", retry_after=seconds)


def _host() -> str:
    try:
        # Werkzeug returns an empty string for an invalid Host.
        return urlsplit(f"//{request.host}").hostname or "unreadable"
    except ValueError:
        return "unreadable"


def _origin_parts(origin: str) -> tuple[str, str | None, int | None] | None:
    """The scheme, host and port of an origin; None for "null", as a file or a sandbox sends."""
    try:
        parts = urlsplit(origin)
        if parts.hostname is None:
            return None
        return parts.scheme, parts.hostname, parts.port or PORTS.get(parts.scheme)
    except ValueError:
        return None
