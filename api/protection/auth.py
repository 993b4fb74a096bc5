"""Who may change something, and who may read: this machine, or whoever has the key."""

import hmac
from collections.abc import Callable, Iterable
from functools import wraps
from typing import TYPE_CHECKING, NoReturn, ParamSpec, TypeVar
from urllib.parse import urlsplit

from flask import Flask, request
from flask_smorest import abort

from access.local_calls import is_local
from access.login_attempts import ATTEMPTS_PER_MINUTE
from api.errors import refuse
from api.extensions import services
from api.protection.rate_limit import CHANGES_PER_MINUTE
from api.schemas.fields import shown
from settings import is_loopback

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

P = ParamSpec("P")
R = TypeVar("R")

KEY_HEADER = "X-API-Key"
PORTS = {"http": 80, "https": 443}
# What says nothing of prices or updates: whether all is well, and the documentation.
OPEN = frozenset(("system.Health", "system.Ready", "openapi"))
OPEN_BLUEPRINT = "explorer"


def restricted(view: Callable[P, R]) -> Callable[P, R]:
    """Refuses a call from another machine without the key, one that a foreign page sent, and
    one too many of an address.

    A browser names the page's origin; a name that was rebound to this machine shows in `Host`.
    A call that a proxy forwarded counts as one from another machine, wherever the proxy is.
    """

    @wraps(view)
    def checked(*args: P.args, **kwargs: P.kwargs) -> R:
        address = request.remote_addr or ""
        local = is_local(address, request.headers.keys())
        if not _has_key(address, local=local):
            if not local:
                refuse(401, f"Calls from other machines need the key, as {KEY_HEADER}")
            if not is_loopback(host := _host()):
                refuse(403, f"Host is {host}: a page of another host may not")
            origin = request.headers.get("Origin")
            if origin is not None and _parts(origin) != _parts(request.host_url):
                refuse(403, f"Origin is {shown(origin)}: a page of another host may not")
        if (wait := services().rate_limiter.wait(address)) is not None:
            _later(wait, f"More than {CHANGES_PER_MINUTE} calls in a minute")
        return view(*args, **kwargs)

    return checked


def for_key_holders(app: Flask, fast: "WSGIApplication") -> "WSGIApplication":
    """Refuses every call without the key, reads included; the WSGI application that does.

    `fast` stands before the app's own and asks for no key: it gets what this machine sends with it.
    """
    inner = app.wsgi_app

    @app.before_request
    def want_key() -> None:
        if request.endpoint in OPEN or request.blueprint == OPEN_BLUEPRINT:
            return
        address = request.remote_addr or ""
        if not _has_key(address, local=is_local(address, request.headers.keys())):
            refuse(
                401,
                f"LOCAL_ACCESS=key: every call needs the API's key, as {KEY_HEADER}. "
                "It is API_KEY, or in run/api_key under KOINX_HOME",
            )

    def choose(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        return (fast if _brings_key(environ) else inner)(environ, start_response)

    def _brings_key(environ: "WSGIEnvironment") -> bool:
        given = environ.get("HTTP_X_API_KEY")
        if given is None:
            return False
        names = (name[5:].replace("_", "-") for name in environ if name.startswith("HTTP_"))
        with app.app_context():
            return is_local(environ.get("REMOTE_ADDR", ""), names) and _is_key(given)

    return choose


def _has_key(address: str, *, local: bool) -> bool:
    """Whether the key was given. After too many wrong ones none is looked at for a while: a call of
    this machine goes on without, any other is told to wait.

    Where a call of this machine needs the key as well, its wrong ones do not count: all accounts
    have one address, and one of them could keep the others out.
    """
    key, given = services().settings.api_key, request.headers.get(KEY_HEADER)
    if key is None or given is None:
        return False
    if local and services().settings.local_access == "key":
        return _is_key(given)
    guesses = services().guesses
    # What a proxy on this machine passes on does not keep out what is called here.
    caller = address if local or not is_loopback(address) else "forwarded"
    if (wait := guesses.retry_after(caller)) is not None:
        if local:
            return False
        _later(wait, f"More than {ATTEMPTS_PER_MINUTE} wrong keys in a minute")
    if _is_key(given):
        return True
    guesses.record_failure(caller, given)
    return False


def _is_key(given: str) -> bool:
    key = services().settings.api_key
    return key is not None and hmac.compare_digest(
        given.encode(errors="replace"), key.get_secret_value().encode()
    )


def _later(seconds: int, why: str) -> NoReturn:
    abort(429, message=f"{why}: wait {seconds} s", headers={"Retry-After": str(seconds)})
    raise AssertionError


def _host() -> str:
    try:
        # Werkzeug makes an empty text of a Host that is none.
        return urlsplit(f"//{request.host}").hostname or "unreadable"
    except ValueError:
        return "unreadable"


def _parts(origin: str) -> tuple[str, str | None, int | None] | None:
    """Scheme, host and port, which make an origin; None of "null", as a file or a sandbox sends."""
    try:
        parts = urlsplit(origin)
        if parts.hostname is None:
            return None
        return parts.scheme, parts.hostname, parts.port or PORTS.get(parts.scheme)
    except ValueError:
        return None
