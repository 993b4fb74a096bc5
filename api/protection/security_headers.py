"""Sets the headers that restrict what a browser may do with a response."""

from flask import Flask, Response, request

NOTHING = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
# Swagger UI needs its own files, calls to this API, and the small pictures in its style sheet.
SWAGGER_UI = NOTHING + (
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
    """Sets the headers on every response, errors and streams included."""

    @app.after_request
    def add(response: Response) -> Response:
        if request.method == "OPTIONS":
            del response.headers["Content-Type"]  # Flask's empty response to it claims HTML
        is_swagger_ui = request.blueprint == "explorer"
        response.headers["Content-Security-Policy"] = SWAGGER_UI if is_swagger_ui else NOTHING
        response.headers.update(HEADERS)
        return response
