"""Who may change something: this machine, or whoever has the key."""

import hmac
from collections.abc import Callable
from functools import wraps
from typing import NoReturn, ParamSpec, TypeVar
from urllib.parse import urlsplit

from flask import request
from flask_smorest import abort

from access.local_calls import is_local
from access.login_attempts import GUESSES_PER_MINUTE
from api.errors import refuse
from api.extensions import services
from api.rate_limit import CHANGES_PER_MINUTE
from api.schemas.fields import shown
from settings import is_loopback

P = ParamSpec("P")
R = TypeVar("R")

KEY_HEADER = "X-API-Key"
PORTS = {"http": 80, "https": 443}


def guarded(view: Callable[P, R]) -> Callable[P, R]:
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
        if (wait := services().limits.wait(address)) is not None:
            _later(wait, f"More than {CHANGES_PER_MINUTE} calls in a minute")
        return view(*args, **kwargs)

    return checked


def _has_key(address: str, *, local: bool) -> bool:
    """Whether the key was given. After too many wrong ones none is looked at for a while: a call of
    this machine goes on without, any other is told to wait."""
    key, given = services().settings.api_key, request.headers.get(KEY_HEADER)
    if key is None or given is None:
        return False
    guesses = services().guesses
    # What a proxy on this machine passes on does not keep out what is called here.
    caller = address if local or not is_loopback(address) else "forwarded"
    if (wait := guesses.wait(caller)) is not None:
        if local:
            return False
        _later(wait, f"More than {GUESSES_PER_MINUTE} wrong keys in a minute")
    if hmac.compare_digest(given.encode(), key.get_secret_value().encode()):
        return True
    guesses.failed(caller, given)
    return False


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
