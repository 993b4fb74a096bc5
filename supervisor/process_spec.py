"""What the supervisor has to know of one process."""

import hashlib
import json
from dataclasses import dataclass, field
from functools import cached_property

from supervisor.health_checks import Probe


@dataclass(frozen=True)
class Spec:
    """One process: how it is started, asked and ended.

    `environment` is added to the supervisor's own. `files` (path to text) and `folders` are made
    before each start. `needs` must be ready first. When several are to be ended, lower `stage`s
    end first; `patience` is how many seconds lie between SIGTERM and SIGKILL. What was not ready
    for `stuck_after` seconds although all its needs were is started anew. `movable`: another port
    may be chosen when a stranger holds this one. `once`: it does its work and exits with 0.
    `spoilt_by_full_disk`: once a write failed for lack of room, all do until it is started anew.
    """

    name: str
    command: tuple[str, ...]
    probe: Probe | None = None
    environment: dict[str, str] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    folders: tuple[str, ...] = ()
    url: str | None = None
    address: tuple[str, int] | None = None
    movable: bool = False
    needs: tuple[str, ...] = ()
    stage: int = 0
    patience: float = 10
    stuck_after: float | None = None
    once: bool = False
    spoilt_by_full_disk: bool = False

    @cached_property
    def fingerprint(self) -> str:
        """The same for two specs exactly when one need not be restarted to become the other."""
        text = json.dumps([self.command, self.environment, self.files], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]
