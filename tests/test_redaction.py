"""No password reaches the log."""

import logging

import pytest
from flask import Flask

ADDRESS = "mongodb://koinx:hunter2@db.example:27017/x"


def test_addresses_are_logged_without_their_passwords(
    app: Flask, caplog: pytest.LogCaptureFixture
) -> None:
    app.logger.warning("%s does not answer", ADDRESS)
    assert caplog.messages == ["mongodb://…@db.example:27017/x does not answer"]


def test_tracebacks_too(app: Flask, caplog: pytest.LogCaptureFixture) -> None:
    app.config["PROPAGATE_EXCEPTIONS"] = False

    @app.get("/fault")
    def fault() -> str:
        raise RuntimeError(ADDRESS)

    with caplog.at_level(logging.ERROR):
        app.test_client().get("/fault")
    assert "Traceback" in caplog.text
    assert "RuntimeError: mongodb://…@db.example" in caplog.text
    assert "hunter2" not in caplog.text
