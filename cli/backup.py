"""Backs up the database: `./koinx backup`, or `python -m cli.backup` in a container."""

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pymongo.errors import PyMongoError

from cli.output import CommandError, print_error, print_line
from logs.redaction import plain
from market.storage import database
from market.storage.backup import back_up
from market.storage.backup_format import BadArchive
from market.storage.migrations import TooNew
from market.storage.restore import DatabaseNotEmpty
from market.storage.restore_lock import RestoreInProgress
from settings import Settings, load_or_exit
from supervisor.control import Processes


def backup(settings: Settings, file: Path) -> None:
    """Writes everything stored to a new file; raises CommandError."""
    uri = settings.server("mongodb_uri")
    with failures(f"{file} cannot be written"):
        back_up(
            database.connect(uri, settings.database, database.PATIENT_MS), file, print_collection
        )
    print_line(f"{settings.database} is in {file}: {file.stat().st_size / 1e6:.1f} MB")


@contextmanager
def failures(file_error: str) -> Iterator[None]:
    """Turns whatever goes wrong with the file or the database into a CommandError."""
    try:
        yield
    except (BadArchive, RestoreInProgress, FileExistsError, DatabaseNotEmpty, TooNew) as error:
        raise CommandError(plain(error)) from error
    except OSError as error:
        raise CommandError(f"{file_error}: {error.strerror or error}") from error
    except PyMongoError as error:
        raise CommandError(f"MongoDB: {plain(error)}") from error


def print_collection(name: str, count: int) -> None:
    """Prints one line per collection."""
    print_line(f"{name:<10} {count:>12,}")


def require_mongodb(processes: Processes, settings: Settings) -> None:
    """Raises CommandError if the embedded MongoDB is not running."""
    process = processes.overview().get("mongodb")
    if settings.mongodb_uri is None and not (process and process["ready"]):
        raise CommandError("MongoDB is not running: ./koinx start mongodb")


def main() -> None:
    """Backs up, or exits with the reason."""
    parser = argparse.ArgumentParser(prog="python -m cli.backup", description=__doc__)
    parser.add_argument("file", type=Path)
    file = parser.parse_args().file
    try:
        backup(load_or_exit(), file)
    except CommandError as error:
        print_error(str(error))
        sys.exit(1)


if __name__ == "__main__":
    main()
