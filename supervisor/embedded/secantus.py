"""Runs SecantusDB where no mongod runs.

Its own command can require a password only after a start without one that creates a user.
"""

import argparse
import signal
import sys
from collections.abc import Sequence
from pathlib import Path


def main(arguments: Sequence[str] | None = None) -> int:
    """Serves until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(prog="python -m supervisor.embedded.secantus")
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--storage", required=True)
    parser.add_argument("--user", required=True)
    parser.add_argument("--password-file", type=Path, required=True)
    options = parser.parse_args(arguments)
    # The package is installed only on machines without a mongod.
    from secantus import SecantusDBServer  # noqa: PLC0415
    from secantus.auth import SCRAM_SHA_256, derive_credentials  # noqa: PLC0415

    server = SecantusDBServer(
        options.host, options.port, options.storage, require_auth=True, enable_test_commands=False
    )
    user, password = options.user, options.password_file.read_text().strip()
    credentials = derive_credentials(password, mechanism=SCRAM_SHA_256, username=user)
    record = {
        "_id": f"admin.{user}",
        "user": user,
        "db": "admin",
        "credentials": credentials.to_doc(),
        "roles": [{"role": "root", "db": "admin"}],
        "mechanisms": [SCRAM_SHA_256],
    }
    server.storage.add_user("admin", user, record, replace=True)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: server.stop())
    server.start()
    server.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
