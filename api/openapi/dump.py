"""Writes the OpenAPI document to `docs/openapi.json`: `python -m api.openapi.dump`."""

import json
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from api.app import create_app
from settings import ROOT, Settings

FILE = ROOT / "docs" / "openapi.json"


def text(document: dict[str, Any]) -> str:
    """Formats the document as in the file."""
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def current() -> dict[str, Any]:
    """Generates the document from the current code, without any server."""
    settings = Settings(
        mongodb_uri=SecretStr("mongodb://127.0.0.1:9"),
        nats_url=SecretStr("nats://127.0.0.1:9"),
        redis_url=SecretStr("redis://127.0.0.1:9"),
    )
    document: dict[str, Any] = create_app(settings).test_client().get("/openapi.json").get_json()
    return document


def main(file: Path = FILE) -> None:
    """Writes the file."""
    file.write_text(text(current()), encoding="utf-8")
    print(f"wrote {file}")


if __name__ == "__main__":
    main()
