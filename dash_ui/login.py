"""The password of a dashboard that other machines can reach."""

import hmac

from flask import Flask, Response, request

OPEN_PATHS = ("/health",)


def ask_for_password(server: Flask, password: str) -> None:
    """Every request but the health check needs the password, by HTTP basic authentication.

    The user name does not matter.
    """

    @server.before_request
    def check() -> Response | None:
        given = request.authorization
        known = given is not None and hmac.compare_digest(
            (given.password or "").encode(), password.encode()
        )
        if known or request.path in OPEN_PATHS:
            return None
        return Response(
            "The dashboard needs its password.",
            401,
            {"WWW-Authenticate": 'Basic realm="KoinX", charset="UTF-8"'},
        )
