"""`python -m cli.restore FILE`: puts a backup back."""

import argparse
import sys
from pathlib import Path

from pymongo.errors import PyMongoError

from cli.backup import tell
from logs.redaction import plain
from market.storage import database, migrations
from market.storage.backup_format import BadArchive
from market.storage.migrations import TooNew
from market.storage.restore import Occupied, restore
from market.storage.restore_lock import Busy
from settings import load_or_exit


def main() -> None:
    """Restores, or ends with the reason in one line."""
    parser = argparse.ArgumentParser(prog="./koinx restore")
    parser.add_argument("file", type=Path)
    parser.add_argument("--replace", action="store_true")
    options = parser.parse_args()
    settings = load_or_exit()
    uri = settings.server("mongodb_uri")
    into = database.connect(uri, settings.database, database.PATIENT_MS)
    try:
        manifest = restore(into, options.file, replace=options.replace, tell=tell)
        migrations.migrate(into)
        database.prepare(into)
    except (BadArchive, Busy, Occupied, TooNew) as error:
        sys.exit(str(error))
    except OSError as error:
        sys.exit(f"{options.file} cannot be read: {error.strerror or error}")
    except PyMongoError as error:
        sys.exit(f"MongoDB: {plain(error)}")
    then = f"{manifest['database']} was at {manifest['taken_at']:%F %T} UTC"
    print(f"{settings.database} is as {then}")


if __name__ == "__main__":
    main()
