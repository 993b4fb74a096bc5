"""Serves Swagger UI at /docs, from its package, so that it works without internet."""

from pathlib import Path

import flask_swagger_ui
from flask import Blueprint, Response, send_from_directory

SWAGGER_UI = Path(flask_swagger_ui.__file__).parent / "dist"
OURS = Path(__file__).parent / "static"

blp = Blueprint("explorer", __name__, static_folder=SWAGGER_UI, static_url_path="/docs/assets")


@blp.get("/docs")
def page() -> Response:
    """Serves the page."""
    return send_from_directory(OURS, "explorer.html")


@blp.get("/docs/explorer.js")
def script() -> Response:
    """Serves the script that starts Swagger UI, so that the page needs no inline script."""
    return send_from_directory(OURS, "explorer.js")
