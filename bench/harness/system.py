"""A whole system, started and stopped as a person does it."""

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import requests
from playwright.sync_api import BrowserContext

from bench.harness.services import SimulatorControl, free_port
from dash_ui.auth.login_link import LINK_LIFETIME, create_link
from settings import NAMES, ROOT, Settings, load
from settings.disk_space import Server
from supervisor.embedded.servers import EMBEDDED
from supervisor.state_dir import StateDir


class System:
    """One home with its ports; the `./koinx` of the folder `root` is called for it."""

    root = ROOT

    def __init__(self, home: Path, **settings: str) -> None:
        self.home = home
        self.api = f"http://127.0.0.1:{settings.setdefault('API_PORT', str(free_port()))}"
        self.dash = f"http://127.0.0.1:{settings.setdefault('DASH_PORT', str(free_port()))}"
        # What a second terminal knows: where the home is, nothing else.
        self.bare = {n: v for n, v in os.environ.items() if n not in NAMES} | {
            "KOINX_HOME": str(home),
            "KOINX_ENV_FILE": "",
        }
        self.environment = self.bare | settings

    def koinx(
        self, *arguments: str, timeout: float = 120, **settings: str
    ) -> "subprocess.CompletedProcess[str]":
        """Runs `./koinx`, with further settings; its output is in the answer."""
        return subprocess.run(
            ["./koinx", *arguments],
            cwd=self.root,
            env=self.environment | settings,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def get(self, path: str) -> requests.Response:
        """An answer of the API, on a connection of its own."""
        return requests.get(self.api + path, timeout=10)

    def status(self) -> dict[str, dict[str, Any]]:
        """`./koinx status --json`, by name."""
        found = json.loads(self.koinx("status", "--json").stdout)
        return {one["name"]: one for one in found["processes"]}

    def known(self) -> Settings:
        """What its processes run with, the addresses of its servers among it."""
        return load({"KOINX_HOME": str(self.home), "KOINX_ENV_FILE": ""})

    def server(self, name: Server) -> str:
        """A server's address, with its password."""
        return self.known().server(EMBEDDED[name])

    def market(self) -> SimulatorControl:
        """Its simulated market, to be told what to do wrong."""
        known = self.known()
        assert known.api_key is not None
        url = known.coingecko_api_url.removesuffix("/api/v3")
        return SimulatorControl(url, known.api_key.get_secret_value())

    def link(self, path: str = "/") -> str:
        """An address of the dashboard, with a token as `./koinx status` makes it."""
        return create_link(self.dash, StateDir(self.home), LINK_LIFETIME).replace("/?", f"{path}?")

    def let_in(self, context: BrowserContext) -> None:
        """Gives a browser a session of the dashboard; none of its pages or files is loaded."""
        assert context.request.get(self.link()).ok

    def processes(self) -> list[psutil.Process]:
        """Every live process that belongs to this home."""
        ours = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if process.environ().get("KOINX_HOME") == str(self.home):
                    ours.append(process)
        return ours


@contextmanager
def running(home: Path, *arguments: str, **settings: str) -> Iterator[System]:
    """A system that is up and ready; it is down at the end."""
    system = System(home, **settings)
    try:
        up = system.koinx("up", "--detach", *arguments)
        assert up.returncode == 0, up.stdout + up.stderr
        yield system
    finally:
        system.koinx("down")
