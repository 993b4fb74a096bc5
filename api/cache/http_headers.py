"""Answers that may be kept: their tags, how long they hold, and gzip."""

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

from api.cache.slot_arrival import Arrivals
from api.extensions import Services
from api.lookup.retention_guard import KEPT_FROM

# The blueprints whose answers change when an update comes in, and only then.
CHANGED_BY_UPDATES = frozenset(
    {"stats", "coins", "statistics", "correlations", "quotes", "candles"}
)
# What is said of this moment alone.
NEVER_STORED = frozenset({"system"})
# Part of an answer, though they stand outside its body.
TAGGED_HEADERS = ("X-Pagination", "Link", KEPT_FROM)

AWAITING_SECONDS = 1  # how long an answer is kept while its successor is due
LONGEST_SECONDS = 3600  # updates can be asked for at any time, and some schedules have a slot a day
AGE = re.compile(rb'"age_seconds":-?[0-9][0-9.eE+-]*')
AGE_SECONDS = 60  # how far an age in a kept answer may be off

LONGEST_REMEMBERED = 256  # characters of an Accept-Encoding; a browser's has 30

GZIP_FROM_BYTES = 1400  # what is shorter fits into one packet as it is
# Of 100 coins, 43 kB, level 1 makes 11.1 kB in 0.14 ms, 4 makes 10.1 in 0.28, 6 makes 9.6 in 0.54.
GZIP_LEVEL = 1


def coding(accepted: Accept, length: int) -> str | None:
    """`gzip` for a body of so many bytes, or None for none: what `Accept-Encoding` likes best."""
    return "gzip" if length >= GZIP_FROM_BYTES and _likes_gzip(accepted) else None


@lru_cache(maxsize=256)
def _of_header(accept_encoding: str) -> bool:
    return _likes_gzip(parse_accept_header(accept_encoding, Accept))


def accepts_gzip(accept_encoding: str) -> bool:
    """Whether who sends this as `Accept-Encoding` gets a long answer in gzip."""
    if len(accept_encoding) > LONGEST_REMEMBERED:
        return _likes_gzip(parse_accept_header(accept_encoding, Accept))
    return _of_header(accept_encoding)


def _likes_gzip(accepted: Accept) -> bool:
    liked: float = accepted.quality("gzip")
    return liked > 0 and liked >= accepted.quality("identity")


def compressed(body: bytes) -> bytes:
    """The body in gzip; the same bytes each time, as a strong tag promises."""
    return gzip.compress(body, GZIP_LEVEL, mtime=0)


def tag(body: bytes, headers: Iterable[str], coded: str | None, now: datetime) -> str:
    """An answer's ETag, for the body before coding and the headers that belong to it.

    Strong: other bytes, another tag, for each coding its own. Where a body says an age it is other
    bytes each time, though nothing is new. Such an answer has a weak tag, over all but the ages
    and with the present minute: a copy that is confirmed is never more than a minute off.
    """
    digest = hashlib.blake2b(digest_size=16)
    rest, ages = AGE.subn(b"", body)
    digest.update(rest)
    for text in (*headers, str(int(now.timestamp()) // AGE_SECONDS) if ages else ""):
        digest.update(b"\0" + text.encode())
    name = digest.hexdigest() + (f"-{coded}" if coded else "")
    return f'W/"{name}"' if ages else f'"{name}"'


def max_age(now: datetime, next_news: datetime | None, *, ages: bool) -> int:
    """For how long an answer holds: to the next slot, or briefly while quotes are awaited.

    With `ages` no longer than the present minute, as in its tag.
    """
    if next_news is None:
        return AWAITING_SECONDS
    left = (next_news - now) // timedelta(seconds=1)
    if ages:
        left = min(left, AGE_SECONDS - int(now.timestamp()) % AGE_SECONDS)
    return max(0, min(left, LONGEST_SECONDS))


def add_cache_headers(app: Flask, on: Services) -> None:
    """Has the app tag, compress and shorten to 304 what it answers."""
    arrivals = Arrivals(on.schedule, on.ledger)

    @app.before_request
    def look_for_news() -> None:
        # A date is no validator here: what an answer says changes within a second, by a repair or
        # a late quote, and when other settings have another database. The tag is over all of it.
        request.environ.pop("HTTP_IF_MODIFIED_SINCE", None)
        is_read = request.method in ("GET", "HEAD")
        # History is mended at any time, not when an update comes in.
        is_by_slot = (
            request.blueprint in CHANGED_BY_UPDATES and request.args.get("include") != "repaired"
        )
        if is_read and is_by_slot:
            g.next_news = arrivals.next_news(datetime.now(UTC))

    @app.after_request
    def finish(response: Response) -> Response:
        if _is_tagged(response):
            _finish(response, datetime.now(UTC))
        elif not response.direct_passthrough:  # a file says for itself how it is kept
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
    coded = coding(request.accept_encodings, len(body))
    etag = tag(body, [response.headers.get(name, "") for name in TAGGED_HEADERS], coded, now)
    response.headers["ETag"] = etag
    # A window ends now, and moves on with each moment, as an age does.
    is_of_now = etag.startswith("W/") or "window" in request.args
    response.headers.setdefault("Cache-Control", _cache_control(now, ages=is_of_now))
    response.vary.add("Accept-Encoding")
    if not is_resource_modified(http_if_none_match=request.headers.get("If-None-Match"), etag=etag):
        response.status_code = 304
        response.set_data(b"")
        del response.headers["Content-Length"], response.headers["Content-Type"]
    elif coded:
        response.set_data(compressed(body))
        response.headers["Content-Encoding"] = coded


def _cache_control(now: datetime, *, ages: bool) -> str:
    if "next_news" not in g:
        return "no-cache"  # kept, but asked about each time
    return f"max-age={max_age(now, g.next_news, ages=ages)}"
