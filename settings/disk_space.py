"""Whether the disks under KOINX_HOME have room for what the servers and the logs write."""

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
# Kept free: mongod takes 105 MB at a time for its journal, and logs go on for a while.
RESERVE = 200 * MEGABYTE
SHARE = 4  # of a small disk the reserve is one part in four
FULL = MEGABYTE  # with less, a server that is started ends at its first writes


@dataclass(frozen=True)
class Disk:
    """A file system, named by a folder on it, with its bytes: free, and to be kept free."""

    folder: Path
    device: int
    free: int
    reserve: int

    @property
    def is_short(self) -> bool:
        """Whether nothing more is to be stored there, so that what runs can go on."""
        return self.free < self.reserve

    @property
    def is_full(self) -> bool:
        """Whether next to nothing can be written there."""
        return self.free < min(FULL, self.reserve)

    def __str__(self) -> str:
        return (
            f"{self.folder} is on a disk with {self.free // MEGABYTE} MB free, "
            f"{-(-self.reserve // MEGABYTE)} MB are needed: make room there, "
            "and all goes on by itself"
        )


def data_folder(settings: Settings, server: Server) -> Path:
    """Where an embedded server keeps its data."""
    # MongoDB's not in <database>/ as the others': a mongod takes a second to start and 300 MB to
    # begin, so all markets share it, each in its own database.
    owner = "" if server == "mongodb" else settings.database
    return settings.koinx_home / "data" / owner / server


def disks(folders: Iterable[Path]) -> list[Disk]:
    """The disks of those of the folders that are there, each named by its first folder."""
    found: dict[int, Disk] = {}
    for folder in folders:
        with suppress(OSError):  # not there, or not to be looked at
            device = folder.stat().st_dev
            if device not in found:
                usage = shutil.disk_usage(folder)
                reserve = min(RESERVE, usage.total // SHARE)
                found[device] = Disk(folder, device, usage.free, reserve)
    return list(found.values())


class Room:
    """One process's look at the disks; its log tells when room gets short, and when it is back.

    Only folders in KOINX_HOME are looked at: a server elsewhere tells of a full disk itself, by
    its errors.
    """

    def __init__(self, settings: Settings) -> None:
        home = settings.koinx_home
        self._data = [data_folder(settings, server) for server in SERVERS]
        # The home comes first: where all is on one disk, as it mostly is, that is its name.
        self._all = [home, *self._data, home / "logs", home / "run"]
        self._told = False

    def shortage(self) -> str | None:
        """Why nothing may be stored now, and what to do; None when there is room."""
        data = {disk.device for disk in disks(self._data)}
        text = _complaint(disk for disk in disks(self._all) if disk.device in data)
        if bool(text) != self._told:
            self._told = bool(text)
            log.warning("%s", text or "there is room on the disk again")
        return text

    def report(self) -> str | None:
        """Every disk that is short of room, and what to do; None when there is none.

        The logs' is among them, though it is no reason to store nothing.
        """
        return _complaint(disks(self._all))


def _complaint(found: Iterable[Disk]) -> str | None:
    return "; ".join(str(disk) for disk in found if disk.is_short) or None
