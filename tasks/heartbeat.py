"""Signs of life, left in a file for whoever watches: work goes on, not only the answers."""

import json
import os
import time
from pathlib import Path

import logs
from logs.redaction import plain
from settings import home

log = logs.get(__name__)

BEAT = "beat.json"  # left in each of beat's rounds
WORKER = "worker.json"  # left before each task; beat's sweep makes one every 5 s
LENGTH = 64  # of each sign: one that is written over another must cover it


def leave(name: str) -> None:
    """Writes the file anew in KOINX_HOME/run; a disk that is full stops nobody's work."""
    folder = home() / "run"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _write(folder / name, json.dumps({"pid": os.getpid(), "at": time.time()}).ljust(LENGTH))
    except OSError as error:
        log.warning("no sign of life could be left", reason=plain(error))


def _write(file: Path, text: str) -> None:
    # The writer may end between emptying a file and filling it, and others read it at any time.
    new = file.with_name(f"{file.name}.{os.getpid()}")
    try:
        new.write_text(text)
        new.replace(file)
    except OSError:
        new.unlink(missing_ok=True)
        # A full disk: writing over what is there takes no room.
        with file.open("r+") as old:
            old.write(text)
