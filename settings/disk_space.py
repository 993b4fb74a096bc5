"""Checks that the disks under KOINX_HOME have room for data and logs."""

import logging
import shutil
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from settings.model import Settings

log = logging.getLogger(__name__)

Server = Literal["mongodb", "nats", "redis"]
SERVERS: tuple[Server, ...] = ("mongodb", "nats", "redis")
MEGABYTE = 1_000_000
# mongod takes 105 MB at a time for its journal, and logs need some room.
RESERVE = 200 * MEGABYTE
SHARE = 4  # on a small disk the reserve is a quarter of it
FULL = MEGABYTE  # with less, a server ends at its first writes


@dataclass(frozen=True)
class Disk:
    """A file system, named by a folder on it, with its free and its reserved bytes."""

    folder: Path
    device: int
    free: int
    reserve: int

    @property
    def is_short(self) -> bool:
        """Whether to store nothing more there, so that the servers can go on."""
        return self.free < self.reserve

    @property
    def is_full(self) -> bool:
        """Whether hardly anything can be written there."""
        return self.free < min(FULL, self.reserve)

    def __str__(self) -> str:
        return (
            f"{self.folder} is on a disk with {self.free // MEGABYTE} MB free, "
            f"{-(-self.reserve // MEGABYTE)} MB are needed: make room there, "
            "and KoinX continues automatically"
        )


def data_folder(settings: Settings, server: Server) -> Path:
    """Returns the data folder of an embedded server."""
    # Not in <database>/ for MongoDB: a new mongod takes a second to start and 300 MB of disk, so
    # all markets share one, each in its own database.
    owner = "" if server == "mongodb" else settings.database
    return settings.koinx_home / "data" / owner / server


def disks(folders: Iterable[Path]) -> list[Disk]:
    """Returns the disks of the existing folders, each named by its first folder."""
    found: dict[int, Disk] = {}
    for folder in folders:
        with suppress(OSError):  # missing, or not accessible
            device = folder.stat().st_dev
            if device not in found:
                usage = shutil.disk_usage(folder)
                reserve = min(RESERVE, usage.total // SHARE)
                found[device] = Disk(folder, device, usage.free, reserve)
    return list(found.values())


class Room:
    """One process's view of the disks; it logs when room gets short, and when it is back.

    It checks only folders in KOINX_HOME: a server elsewhere reports a full disk by its errors.
    """

    def __init__(self, settings: Settings) -> None:
        home = settings.koinx_home
        self._data = [data_folder(settings, server) for server in SERVERS]
        # The home comes first: it names the disk if, as usual, everything is on one.
        self._all = [home, *self._data, home / "logs", home / "run"]
        self._reported = False

    def shortage(self) -> str | None:
        """Explains why nothing may be stored now; None if there is room."""
        data = {disk.device for disk in disks(self._data)}
        text = _describe(disk for disk in disks(self._all) if disk.device in data)
        if bool(text) != self._reported:
            self._reported = bool(text)
            log.warning("%s", text or "there is room on the disk again")
        return text

    def report(self) -> str | None:
        """Describes the disks short of room, including that of the logs; None if there are none."""
        return _describe(disks(self._all))


def _describe(found: Iterable[Disk]) -> str | None:
    return "; ".join(str(disk) for disk in found if disk.is_short) or None
