"""Creates one-time login links: `python -m dash_ui.auth.login_link` prints one."""

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
# The link that `up` prints stays in its terminal, and may be clicked the next morning.
STARTUP_LINK_LIFETIME = timedelta(days=1)
# A link on request is clicked at once, or requested again.
LINK_LIFETIME = timedelta(minutes=10)


def create_link(url: str, state_dir: StateDir, lifetime: timedelta) -> str:
    """A new link to the dashboard at `url`; OSError if its file cannot be written.

    The dashboard finds an empty file, named after the token's hash and its expiry in Unix time.
    """
    for file in state_dir.run.glob("link-*"):
        if not _is_valid(file):
            file.unlink(missing_ok=True)
    token = secrets.token_urlsafe(32)
    end = int(time.time() + lifetime.total_seconds())
    file = state_dir.run / f"link-{_digest(token)}-{end}"
    os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    return f"{url}/?{PARAMETER}={token}"


def redeem(state_dir: StateDir, token: str) -> bool:
    """Use a token up; True if it was valid, for one of several concurrent requests."""
    for file in state_dir.run.glob(f"link-{_digest(token)}-*"):
        with suppress(FileNotFoundError):
            file.unlink()  # only one request can
            return _is_valid(file)
    return False


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _is_valid(file: Path) -> bool:
    return time.time() < int(file.name.rpartition("-")[2])


def main() -> None:
    """Print a link to the dashboard that runs with these settings."""
    settings = load_or_exit()
    state_dir = StateDir(settings.koinx_home)
    try:
        state_dir.create()
        url = local_url(settings.dash_host, settings.dash_port)
        print(create_link(url, state_dir, LINK_LIFETIME))
    except OSError as error:
        sys.exit(f"KOINX_HOME={settings.koinx_home} cannot be written: {plain(error)}")


if __name__ == "__main__":
    main()
