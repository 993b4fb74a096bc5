"""Leaves heartbeats in files, for whoever checks that work is done and not only pings answered."""

import json
import os
import time
from pathlib import Path

import logs
from logs.redaction import plain
from settings import home

log = logs.get(__name__)

BEAT = "beat.json"  # written in each of beat's rounds
WORKER = "worker.json"  # written before each task; beat's sweep makes one every 5 s
LENGTH = 64  # of each heartbeat: one written over another must cover it


def record(name: str) -> None:
    """Writes the file anew in KOINX_HOME/run; a full disk stops nobody's work."""
    folder = home() / "run"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _write(folder / name, json.dumps({"pid": os.getpid(), "at": time.time()}).ljust(LENGTH))
    except OSError as error:
        log.warning("heartbeat not recorded", reason=plain(error))


def _write(file: Path, text: str) -> None:
    # The writer may die between emptying a file and filling it, and others read it at any time.
    new = file.with_name(f"{file.name}.{os.getpid()}")
    try:
        new.write_text(text)
        new.replace(file)
    except OSError:
        new.unlink(missing_ok=True)
        # A full disk: writing over what is there takes no space.
        with file.open("r+") as old:
            old.write(text)
