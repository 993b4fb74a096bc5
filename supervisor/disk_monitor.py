"""What the supervisor does about disks without room: says it, waits, and goes on once there is."""

import logging
from collections.abc import Collection, Iterator
from pathlib import Path

from settings.disk_space import Disk, disks
from supervisor.process import Managed
from supervisor.process_spec import Spec
from supervisor.state_dir import Folder

log = logging.getLogger("supervisor")


class Disks:
    """The disks of one home and of its processes' folders."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        self._short: dict[int, Disk] = {}
        self._spoilt: set[str] = set()  # what must be started anew once there is room
        self._waiting: set[str] = set()

    def look(self, processes: Collection[Managed]) -> None:
        """See which disks are short of room; returns at once."""
        own = [path for one in processes for path in _folders(one.spec)]
        here = [self._folder.home, *own, self._folder.logs, self._folder.run]
        short = {disk.device: disk for disk in disks(here) if disk.is_short}
        for device in short.keys() - self._short.keys():
            log.warning("%s", short[device])
        over = [disk for device, disk in self._short.items() if device not in short]
        for disk in over:
            log.info("%s is on a disk with room again", disk.folder)
        self._short = short
        for one in processes:
            self._renew(one)
            if over:
                # Whatever failed meanwhile, and was given up, may have failed for that.
                one.forgive()

    def hold(self, process: Managed) -> bool:
        """Whether it cannot be started, since a disk of its own is full; said once."""
        full = next((disk for disk in disks(_folders(process.spec)) if disk.is_full), None)
        if full is None:
            self._waiting.discard(process.name)
        elif process.name not in self._waiting:
            self._waiting.add(process.name)
            log.warning("%s waits for room: %s", process.name, full)
        return full is not None

    def _renew(self, process: Managed) -> None:
        if not (process.spec and process.spec.spoilt_by_full_disk):
            return
        own = disks(_folders(process.spec))
        if process.alive and any(disk.is_full for disk in own):
            self._spoilt.add(process.name)
        elif process.name in self._spoilt and not any(disk.is_short for disk in own):
            self._spoilt.discard(process.name)
            process.restart_asked = process.alive
            log.info("%s met a full disk: it is started anew", process.name)


def _folders(spec: Spec | None) -> Iterator[Path]:
    if spec:
        yield from map(Path, spec.folders)
        yield from (Path(file).parent for file in spec.files)
