"""Signs of life, left in a file for whoever watches: work goes on, not only the answers."""

import json
import logging
import os
import time

from settings import home

log = logging.getLogger(__name__)

BEAT = "beat.json"  # left in each of beat's rounds
WORKER = "worker.json"  # left before each task; beat's sweep makes one every 5 s


def leave(name: str) -> None:
    """Writes the file anew in KOINX_HOME/run; a disk that is full stops nobody's work."""
    folder = home() / "run"
    # The writer may end between emptying a file and filling it, and others read it at any time.
    new = folder / f"{name}.{os.getpid()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        new.write_text(json.dumps({"pid": os.getpid(), "at": time.time()}))
        new.replace(folder / name)
    except OSError as error:
        log.warning("no sign of life could be left: %s", error)
