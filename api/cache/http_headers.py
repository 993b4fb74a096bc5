"""Sets ETag, Cache-Control and gzip on responses, and answers 304."""

import gzip
import hashlib
import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from flask import Flask, Response, g, request
from werkzeug.datastructures import Accept
from werkzeug.http import parse_accept_header
from werkzeug.sansio.http import is_resource_modified

from api.cache.invalidation import UpdateWatcher
from api.lookup.retention_guard import KEPT_FROM

# Blueprints whose responses change only when an update ends
CHANGED_BY_UPDATES = frozenset(
    {"stats", "coins", "statistics", "correlations", "quotes", "candles"}
)
NEVER_STORED = frozenset({"system"})  # blueprints whose responses describe this moment alone
TAGGED_HEADERS = ("X-Pagination", "Link", KEPT_FROM)  # part of a response, outside its body

AWAITING_SECONDS = 1  # max-age while an update is due
MAX_AGE_SECONDS = 3600  # updates can be requested at any time, and some schedules are daily
AGE = re.compile(rb'"age_seconds":-?[0-9][0-9.eE+-]*')
AGE_SECONDS = 60  # how far an age in a cached response may be off

MAX_REMEMBERED_LENGTH = 256  # characters of an Accept-Encoding header; a browser's has 30

GZIP_FROM_BYTES = 1400  # anything shorter fits into one packet
# Of 100 coins, 43 kB, level 1 makes 11.1 kB in 0.14 ms, 4 makes 10.1 in 0.28, 6 makes 9.6 in 0.54.
GZIP_LEVEL = 1


def content_coding(accepted: Accept, length: int) -> str | None:
    """Returns `gzip`, or None for no coding, for a body of so many bytes by Accept-Encoding."""
    return "gzip" if length >= GZIP_FROM_BYTES and _prefers_gzip(accepted) else None


def accepts_gzip(accept_encoding: str) -> bool:
    """Whether a long response to this Accept-Encoding header is sent in gzip."""
    if len(accept_encoding) > MAX_REMEMBERED_LENGTH:
        return _header_prefers_gzip.__wrapped__(accept_encoding)
    return _header_prefers_gzip(accept_encoding)


@lru_cache(maxsize=256)
def _header_prefers_gzip(accept_encoding: str) -> bool:
    return _prefers_gzip(parse_accept_header(accept_encoding, Accept))


def _prefers_gzip(accepted: Accept) -> bool:
    quality: float = accepted.quality("gzip")
    return quality > 0 and quality >= accepted.quality("identity")


def compress(body: bytes) -> bytes:
    """Compresses a body; always to the same bytes, as a strong tag promises."""
    return gzip.compress(body, GZIP_LEVEL, mtime=0)


def etag(body: bytes, headers: Iterable[str], coding: str | None, now: datetime) -> str:
    """Returns a response's ETag, from its uncompressed body and the headers that belong to it.

    The tag is strong, and differs by coding. A body that states an age differs each time although
    nothing is new: such a response has a weak tag, over all but the ages and with the current
    minute, so a confirmed copy is never more than a minute off.
    """
    digest = hashlib.blake2b(digest_size=16)
    rest, ages = AGE.subn(b"", body)
    digest.update(rest)
    for text in (*headers, str(int(now.timestamp()) // AGE_SECONDS) if ages else ""):
        digest.update(b"\0" + text.encode())
    name = digest.hexdigest() + (f"-{coding}" if coding else "")
    return f'W/"{name}"' if ages else f'"{name}"'


def max_age(now: datetime, next_update: datetime | None, *, ages: bool) -> int:
    """Returns for how many seconds a response holds: to the next slot, or 1 while one is awaited.

    With `ages`, no longer than the current minute, as in its tag.
    """
    if next_update is None:
        return AWAITING_SECONDS
    left = (next_update - now) // timedelta(seconds=1)
    if ages:
        left = min(left, AGE_SECONDS - int(now.timestamp()) % AGE_SECONDS)
    return max(0, min(left, MAX_AGE_SECONDS))


def add_cache_headers(app: Flask, watcher: UpdateWatcher) -> None:
    """Makes the app tag and compress its responses, and answer 304 to a tag it is sent."""

    @app.before_request
    def note_next_update() -> None:
        # A date is no validator here: a response changes within a second, by a repair or a late
        # quote, and when other settings have another database. The tag covers all of that.
        request.environ.pop("HTTP_IF_MODIFIED_SINCE", None)
        # Repairs change history at any time, not only when an update ends.
        is_repaired = request.args.get("include") == "repaired"
        if (
            request.method in ("GET", "HEAD")
            and request.blueprint in CHANGED_BY_UPDATES
            and not is_repaired
        ):
            g.next_update = watcher.next_update(datetime.now(UTC))

    @app.after_request
    def finish(response: Response) -> Response:
        if _is_tagged(response):
            _finish(response, datetime.now(UTC))
        elif not response.direct_passthrough:  # a static file sets its own Cache-Control
            response.headers.setdefault("Cache-Control", "no-store")
        return response


def _is_tagged(response: Response) -> bool:
    return (
        request.method in ("GET", "HEAD")
        and response.status_code == 200
        and not response.is_streamed
        and not response.direct_passthrough
        and request.blueprint not in NEVER_STORED
    )


def _finish(response: Response, now: datetime) -> None:
    body = response.get_data()
    coding = content_coding(request.accept_encodings, len(body))
    tag = etag(body, [response.headers.get(name, "") for name in TAGGED_HEADERS], coding, now)
    response.headers["ETag"] = tag
    # A window ends now: it moves on with each moment, as an age does.
    ages = tag.startswith("W/") or "window" in request.args
    response.headers.setdefault("Cache-Control", _cache_control(now, ages=ages))
    response.vary.add("Accept-Encoding")
    if not is_resource_modified(http_if_none_match=request.headers.get("If-None-Match"), etag=tag):
        response.status_code = 304
        response.set_data(b"")
        del response.headers["Content-Length"], response.headers["Content-Type"]
    elif coding:
        response.set_data(compress(body))
        response.headers["Content-Encoding"] = coding


def _cache_control(now: datetime, *, ages: bool) -> str:
    if "next_update" not in g:
        return "no-cache"  # a client may keep it, but asks each time
    return f"max-age={max_age(now, g.next_update, ages=ages)}"
