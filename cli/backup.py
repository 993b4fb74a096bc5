"""`python -m cli.backup FILE`: writes all that is stored to a file."""

import argparse
import sys
from pathlib import Path

from pymongo.errors import PyMongoError

from logs.redaction import plain
from market.storage import database
from market.storage.backup import back_up
from market.storage.migrations import TooNew
from settings import load_or_exit


def tell(name: str, count: int) -> None:
    """One line a collection."""
    print(f"{name:<10} {count:>12,}", flush=True)


def main() -> None:
    """Backs up, or ends with the reason in one line."""
    parser = argparse.ArgumentParser(prog="./koinx backup")
    parser.add_argument("file", type=Path)
    path = parser.parse_args().file
    settings = load_or_exit()
    try:
        uri = settings.server("mongodb_uri")
        back_up(database.connect(uri, settings.database, database.PATIENT_MS), path, tell)
    except (FileExistsError, TooNew) as error:
        sys.exit(plain(error))
    except OSError as error:
        sys.exit(f"{path} cannot be written: {error.strerror or error}")
    except PyMongoError as error:
        sys.exit(f"MongoDB: {plain(error)}")
    print(f"{settings.database} is in {path}: {path.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
