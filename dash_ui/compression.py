"""How the dashboard's answers travel: in gzip, and kept by the browser where they never change."""

import gzip
from pathlib import Path

import dash
from flask import Flask, Response, request

MIN_GZIP_BYTES = 1400  # what is shorter fits into one packet as it is
PACKED = (
    *("text/html", "text/css", "text/plain", "text/markdown"),
    *("application/json", "text/javascript", "application/javascript", "image/svg+xml"),
)
STATIC = ("/_dash-component-suites/", "/assets/")
# Answers are packed once for one reader, files once for all of them.
ANSWER_LEVEL, FILE_LEVEL = 4, 6
# Dash answers to any fingerprint of a file, so that names can be made up without end.
MAX_CACHED_FILES = 100
CACHE_FOR_A_YEAR = "max-age=31536000, immutable"

Packed = dict[tuple[str, str | None], bytes]


def compress_responses(server: Flask) -> None:
    """Has `server` compress what it answers, for who takes gzip. Its own files, whose address
    carries a time (`?m=`), may be kept for a year: another version has another address."""
    packed: Packed = {}

    @server.after_request
    def finish(response: Response) -> Response:
        if response.status_code != 200:
            return response
        if request.path.startswith("/assets/") and "m" in request.args:
            response.headers["Cache-Control"] = CACHE_FOR_A_YEAR
        if _is_packable(response):
            _pack(response, packed)
        return response


def dated_asset(app: dash.Dash, name: str) -> str:
    """The address of a file in assets/, with its time, as Dash gives those that it links itself."""
    changed = (Path(__file__).parent / "assets" / name).stat().st_mtime
    return f"{app.get_asset_url(name)}?m={changed}"


def _is_packable(response: Response) -> bool:
    if response.mimetype not in PACKED or "Content-Encoding" in response.headers:
        return False
    if response.is_streamed and not response.direct_passthrough:
        return False  # an export, whose length nobody knows
    response.vary.add("Accept-Encoding")
    accepted = request.accept_encodings
    return accepted.quality("gzip") > 0 and accepted.quality("gzip") >= accepted.quality("identity")


def _pack(response: Response, packed: Packed) -> None:
    is_static = request.path.startswith(STATIC)
    key = request.path, response.headers.get("ETag")
    response.direct_passthrough = False  # a file, which is read here
    plain = response.get_data()
    if len(plain) < MIN_GZIP_BYTES:
        return
    body = packed.get(key) if is_static else None
    if body is None:
        body = gzip.compress(plain, FILE_LEVEL if is_static else ANSWER_LEVEL, mtime=0)
        if is_static:
            if len(packed) >= MAX_CACHED_FILES:
                packed.clear()
            packed[key] = body
    response.set_data(body)
    response.headers["Content-Encoding"] = "gzip"
    tag, _ = response.get_etag()
    if tag is not None:
        # Other bytes than those that the tag was made for, though they mean the same. Dash knows
        # none but its own tag again.
        response.set_etag(tag, weak=True)
        response.make_conditional(request)
