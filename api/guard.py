"""Who may change something: this machine, or whoever has the key."""

import hmac
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar
from urllib.parse import urlsplit

from flask import request
from flask_smorest import abort

from api.errors import refuse
from api.limits import CHANGES_PER_MINUTE
from api.services import services
from settings import is_loopback

P = ParamSpec("P")
R = TypeVar("R")

KEY_HEADER = "X-API-Key"


def guarded(view: Callable[P, R]) -> Callable[P, R]:
    """Refuses a call from another machine without the key, one that a foreign page sent, and
    one too many of an address.

    A browser names the page's origin; a name that was rebound to this machine shows in `Host`.
    """

    @wraps(view)
    def checked(*args: P.args, **kwargs: P.kwargs) -> R:
        if not _has_key():
            if not is_loopback(request.remote_addr or ""):
                refuse(401, f"Calls from other machines need the key, as {KEY_HEADER}")
            for header, host in (
                ("Host", _host()),
                ("Origin", _origin_host()),
            ):
                if host is not None and not is_loopback(host):
                    refuse(403, f"{header} is {host}: a page of another host may not")
        if (wait := services().limits.wait(request.remote_addr or "")) is not None:
            abort(
                429,
                message=f"More than {CHANGES_PER_MINUTE} calls in a minute: wait {wait} s",
                headers={"Retry-After": str(wait)},
            )
        return view(*args, **kwargs)

    return checked


def _has_key() -> bool:
    key = services().settings.api_key
    given = request.headers.get(KEY_HEADER, "")
    return key is not None and hmac.compare_digest(given.encode(), key.get_secret_value().encode())


def _host() -> str:
    try:
        # Werkzeug makes an empty text of a Host that is none.
        return urlsplit(f"//{request.host}").hostname or "unreadable"
    except ValueError:
        return "unreadable"


def _origin_host() -> str | None:
    origin = request.headers.get("Origin")
    if origin is None:
        return None
    try:
        return urlsplit(origin).hostname or origin  # "null", as a file or a sandbox sends it
    except ValueError:
        return origin
