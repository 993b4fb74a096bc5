"""Asks a system for updates over HTTP, as people do, while its processes are struck."""

from contextlib import suppress
from datetime import UTC, datetime

import requests

from bench.harness.system import System

ACCEPTED = 202
TIMEOUT = 4.0  # the API itself waits 3 s for NATS


class Asked:
    """Which updates were accepted, and when they were asked for."""

    def __init__(self, system: System) -> None:
        self._url = f"{system.api}/v1/updates"
        self.accepted: dict[str, datetime] = {}

    def ask(self) -> None:
        """Asks once. What is refused, or not answered, may be carried out or not."""
        begun = datetime.now(UTC)
        with suppress(requests.RequestException):
            answer = requests.post(self._url, timeout=TIMEOUT)
            if answer.status_code == ACCEPTED:
                self.accepted[answer.json()["id"]] = begun
