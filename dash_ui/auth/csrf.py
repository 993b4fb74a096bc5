"""Requests that a page of another site makes in the reader's browser are refused."""

import hashlib
import hmac
import secrets
from urllib.parse import urlsplit

from flask import Flask, Response, request

from access.local_calls import is_https

COOKIE = "koinx_page"
READING = ("GET", "HEAD", "OPTIONS")


def reject_cross_site_requests(server: Flask, key: str | None) -> None:
    """Whatever is no mere reading needs this page's cookie, and our own origin where one is named.

    The cookie comes with a page and is never sent along from another site (SameSite=Strict). It is
    made from `key`, so that open pages outlive a restart; without a key, from chance.
    """
    secret = (key or secrets.token_urlsafe()).encode()
    token = hmac.digest(secret, b"dashboard", hashlib.sha256).hex()
    # Cookies know hosts, not ports: another dashboard of this machine has one of its own.
    cookie = f"{COOKIE}_{token[:8]}"

    @server.before_request
    def check() -> Response | None:
        if request.method in READING:
            return None
        origin = request.headers.get("Origin")
        if origin is not None and urlsplit(origin).netloc != request.host:
            return Response(f"Requests from other sites are not allowed (Origin: {origin}).", 403)
        if not hmac.compare_digest(request.cookies.get(cookie, "").encode(), token.encode()):
            return Response("The page's cookie is missing: reload the page.", 403)
        return None

    @server.after_request
    def give(response: Response) -> Response:
        if (
            request.method == "GET"
            and response.mimetype == "text/html"
            and response.status_code == 200
        ):
            secure = is_https(request.scheme, dict(request.headers))
            response.set_cookie(cookie, token, secure=secure, httponly=True, samesite="Strict")
        return response
