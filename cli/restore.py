"""Restores a backup: `./koinx restore`, or `python -m cli.restore` in a container."""

import argparse
import sys
from pathlib import Path

from cli.backup import failures, print_collection
from cli.output import CommandError, print_error, print_line
from market.storage import database, migrations
from market.storage.restore import restore as restore_database
from settings import Settings, load_or_exit
from supervisor.control import Processes

WRITERS = ("api", "worker", "beat")  # the processes that write to the database


def restore(settings: Settings, file: Path, *, replace: bool) -> None:
    """Restores a backup into the database, which nothing else may write to; raises CommandError."""
    uri = settings.server("mongodb_uri")
    target = database.connect(uri, settings.database, database.PATIENT_MS)
    with failures(f"{file} cannot be read"):
        manifest = restore_database(target, file, replace=replace, report_progress=print_collection)
        migrations.migrate(target)
        database.prepare(target)
    then = f"{manifest['database']} was at {manifest['taken_at']:%F %T} UTC"
    print_line(f"{settings.database} is as {then}")


def require_no_writers(processes: Processes) -> None:
    """Raises CommandError while a process that writes to the database is running."""
    overview = processes.overview()
    running = [
        name for name in WRITERS if (process := overview.get(name)) and process["pid"] is not None
    ]
    if running:
        stops = "; ".join(f"./koinx stop {name}" for name in running)
        raise CommandError(f"{', '.join(running)} would write to the database meanwhile: {stops}")


def main() -> None:
    """Restores, or exits with the reason."""
    parser = argparse.ArgumentParser(prog="python -m cli.restore", description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--replace", action="store_true")
    options = parser.parse_args()
    try:
        restore(load_or_exit(), options.file, replace=options.replace)
    except CommandError as error:
        print_error(str(error))
        sys.exit(1)


if __name__ == "__main__":
    main()
