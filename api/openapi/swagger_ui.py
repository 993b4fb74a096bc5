"""The explorer at /docs: Swagger UI from its package, so that it works with no internet."""

from pathlib import Path

import flask_swagger_ui
from flask import Blueprint, Response, send_from_directory

SWAGGER_UI = Path(flask_swagger_ui.__file__).parent / "dist"
OURS = Path(__file__).parent / "static"

blp = Blueprint("explorer", __name__, static_folder=SWAGGER_UI, static_url_path="/docs/assets")


@blp.get("/docs")
def page() -> Response:
    """The page itself."""
    return send_from_directory(OURS, "explorer.html")


@blp.get("/docs/explorer.js")
def script() -> Response:
    """What starts Swagger UI; a file, so that the page needs no inline script."""
    return send_from_directory(OURS, "explorer.js")
