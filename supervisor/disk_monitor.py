"""Watches the disks: holds back starts on a full disk, and restarts what a full disk broke."""

import logging
from collections.abc import Collection, Iterator
from pathlib import Path

from settings.disk_space import Disk, disks
from supervisor.process import ManagedProcess
from supervisor.process_spec import ProcessSpec
from supervisor.state_dir import StateDir

log = logging.getLogger("supervisor")


class DiskMonitor:
    """The disks under one home and under its processes' folders."""

    def __init__(self, state_dir: StateDir) -> None:
        self._state_dir = state_dir
        self._short: dict[int, Disk] = {}
        self._to_restart: set[str] = set()
        self._waiting: set[str] = set()

    def check(self, processes: Collection[ManagedProcess]) -> None:
        """Finds the disks that are short of room; returns at once."""
        own = [path for process in processes for path in _folders(process.spec)]
        watched = [self._state_dir.home, *own, self._state_dir.logs, self._state_dir.run]
        short = {disk.device: disk for disk in disks(watched) if disk.is_short}
        for device in short.keys() - self._short.keys():
            log.warning("%s", short[device])
        recovered = [disk for device, disk in self._short.items() if device not in short]
        for disk in recovered:
            log.info("%s is on a disk with room again", disk.folder)
        self._short = short
        for process in processes:
            self._restart_if_broken(process)
            if recovered:
                # A process that failed in the meantime may have failed for lack of room.
                process.reset_backoff()

    def blocks_start(self, process: ManagedProcess) -> bool:
        """Returns whether a full disk keeps the process from starting; logs it once."""
        full = next((disk for disk in disks(_folders(process.spec)) if disk.is_full), None)
        if full is None:
            self._waiting.discard(process.name)
        elif process.name not in self._waiting:
            self._waiting.add(process.name)
            log.warning("%s waits for room: %s", process.name, full)
        return full is not None

    def _restart_if_broken(self, process: ManagedProcess) -> None:
        if not (process.spec and process.spec.restart_after_full_disk):
            return
        own = disks(_folders(process.spec))
        if process.alive and any(disk.is_full for disk in own):
            self._to_restart.add(process.name)
        elif process.name in self._to_restart and not any(disk.is_short for disk in own):
            self._to_restart.discard(process.name)
            process.restart_requested = process.alive
            log.info("%s met a full disk: restarting", process.name)


def _folders(spec: ProcessSpec | None) -> Iterator[Path]:
    if spec:
        yield from map(Path, spec.folders)
        yield from (Path(file).parent for file in spec.files)
