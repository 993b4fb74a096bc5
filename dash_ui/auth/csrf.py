"""Rejects requests that pages of other sites make in the reader's browser."""

import hashlib
import hmac
import secrets
from urllib.parse import urlsplit

from flask import Flask, Response, request

from access.local_calls import is_https

COOKIE = "koinx_page"
READ_METHODS = ("GET", "HEAD", "OPTIONS")


def reject_cross_site_requests(server: Flask, key: str | None) -> None:
    """Require the page's cookie, and the own Origin if one is sent, for all but read requests.

    The cookie comes with a page and is never sent from another site (SameSite=Strict). It is
    derived from `key`, so that open pages survive a restart; without a key it is random.
    """
    secret = (key or secrets.token_urlsafe()).encode()
    token = hmac.digest(secret, b"dashboard", hashlib.sha256).hex()
    # Cookies ignore ports: another dashboard on this machine needs another name.
    cookie = f"{COOKIE}_{token[:8]}"

    @server.before_request
    def check() -> Response | None:
        if request.method in READ_METHODS:
            return None
        origin = request.headers.get("Origin")
        if origin is not None and urlsplit(origin).netloc != request.host:
            return Response(f"Requests from other sites are not allowed (Origin: {origin}).", 403)
        if not hmac.compare_digest(request.cookies.get(cookie, "").encode(), token.encode()):
            return Response("The page's cookie is missing: reload the page.", 403)
        return None

    @server.after_request
    def set_cookie(response: Response) -> Response:
        is_page = response.mimetype == "text/html" and response.status_code == 200
        if request.method == "GET" and is_page:
            secure = is_https(request.scheme, dict(request.headers))
            response.set_cookie(cookie, token, secure=secure, httponly=True, samesite="Strict")
        return response
