"""What a browser is told that it may do with an answer: as little as will do."""

from flask import Flask, Response, request

NOTHING = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
# Of the explorer: its own files, calls to this API, and the small pictures in its style sheet.
EXPLORER = NOTHING + (
    "; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'"
)
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


def add_security_headers(app: Flask) -> None:
    """Puts the headers on every answer, errors and streams included."""

    @app.after_request
    def add(response: Response) -> Response:
        if request.method == "OPTIONS":
            del response.headers["Content-Type"]  # Flask's answer to it is empty, and says HTML
        is_explorer = request.blueprint == "explorer"
        response.headers["Content-Security-Policy"] = EXPLORER if is_explorer else NOTHING
        response.headers.update(HEADERS)
        return response
