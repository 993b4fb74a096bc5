"""Compresses the dashboard's responses, and lets browsers cache files that never change."""

import gzip
from pathlib import Path

import dash
from flask import Flask, Response, request

MIN_GZIP_BYTES = 1400  # shorter ones fit into one packet anyway
COMPRESSIBLE = (
    *("text/html", "text/css", "text/plain", "text/markdown"),
    *("application/json", "text/javascript", "application/javascript", "image/svg+xml"),
)
STATIC = ("/_dash-component-suites/", "/assets/")
# A response is compressed for one reader, a file once for all of them.
ANSWER_LEVEL, FILE_LEVEL = 4, 6
# Dash serves a file under any fingerprint, so a client can invent names without end.
MAX_CACHED_FILES = 100
CACHE_FOR_A_YEAR = "max-age=31536000, immutable"

Cache = dict[tuple[str, str | None], bytes]


def compress_responses(server: Flask) -> None:
    """Compress responses for clients that accept gzip; let them cache assets for a year.

    An asset's URL carries its time (`?m=`), so a new version has a new URL.
    """
    packed: Cache = {}

    @server.after_request
    def finish(response: Response) -> Response:
        if response.status_code != 200:
            return response
        if request.path.startswith("/assets/") and "m" in request.args:
            response.headers["Cache-Control"] = CACHE_FOR_A_YEAR
        if _is_compressible(response):
            _compress(response, packed)
        return response


def dated_asset(app: dash.Dash, name: str) -> str:
    """The URL of a file in assets/ with its time, as Dash writes those that it links itself."""
    changed = (Path(__file__).parent / "assets" / name).stat().st_mtime
    return f"{app.get_asset_url(name)}?m={changed}"


def _is_compressible(response: Response) -> bool:
    if response.mimetype not in COMPRESSIBLE or "Content-Encoding" in response.headers:
        return False
    if response.is_streamed and not response.direct_passthrough:
        return False  # an export of unknown length
    response.vary.add("Accept-Encoding")
    accepted = request.accept_encodings
    return accepted.quality("gzip") > 0 and accepted.quality("gzip") >= accepted.quality("identity")


def _compress(response: Response, packed: Cache) -> None:
    is_static = request.path.startswith(STATIC)
    key = request.path, response.headers.get("ETag")
    response.direct_passthrough = False  # a file: get_data reads it
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
        # The bytes differ from those the tag was made for, but mean the same: a weak tag. Dash
        # recognises only its own tag, so the condition is checked here.
        response.set_etag(tag, weak=True)
        response.make_conditional(request)
