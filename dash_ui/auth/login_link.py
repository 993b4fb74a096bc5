"""Links that open the dashboard, each good once: `python -m dash_ui.auth.login_link` prints one."""

import hashlib
import os
import secrets
import sys
import time
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

from logs.redaction import plain
from settings import load_or_exit
from supervisor.process_plan import local_url
from supervisor.state_dir import StateDir

PARAMETER = "token"
# What `up` prints stays in its terminal, and is clicked whenever the day begins.
STARTUP_LINK_LIFETIME = timedelta(days=1)
# What was asked for just now is clicked now, or asked for again.
LINK_LIFETIME = timedelta(minutes=10)


def create_link(url: str, folder: StateDir, lasts: timedelta) -> str:
    """A new link to the dashboard at `url`; OSError if it cannot be left for the dashboard.

    What is left is an empty file, named after the token's hash and its end in Unix time.
    """
    for file in folder.run.glob("link-*"):
        if not _lasts(file):
            file.unlink(missing_ok=True)
    token = secrets.token_urlsafe(32)
    end = int(time.time() + lasts.total_seconds())
    file = folder.run / f"link-{_digest(token)}-{end}"
    os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    return f"{url}/?{PARAMETER}={token}"


def redeem(folder: StateDir, token: str) -> bool:
    """Whether the token is good, which it is no more; of several who ask at once one is told so."""
    for file in folder.run.glob(f"link-{_digest(token)}-*"):
        with suppress(FileNotFoundError):
            file.unlink()  # nobody else can any more
            return _lasts(file)
    return False


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _lasts(file: Path) -> bool:
    return time.time() < int(file.name.rpartition("-")[2])


def main() -> None:
    """Print a link to the dashboard that runs with these settings."""
    settings = load_or_exit()
    folder = StateDir(settings.koinx_home)
    try:
        folder.create()
        url = local_url(settings.dash_host, settings.dash_port)
        print(create_link(url, folder, LINK_LIFETIME))
    except OSError as error:
        sys.exit(f"KOINX_HOME={settings.koinx_home} cannot be written: {plain(error)}")


if __name__ == "__main__":
    main()
