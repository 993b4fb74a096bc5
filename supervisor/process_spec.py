"""How the supervisor starts, checks and stops one process."""

import hashlib
import json
from dataclasses import dataclass, field
from functools import cached_property

from supervisor.health_checks import Probe


@dataclass(frozen=True)
class ProcessSpec:
    """One process, as the supervisor manages it."""

    name: str
    command: tuple[str, ...]
    probe: Probe | None = None
    environment: dict[str, str] = field(default_factory=dict)  # added to the supervisor's own
    files: dict[str, str] = field(default_factory=dict)  # path to text, written before each start
    folders: tuple[str, ...] = ()  # created before each start
    url: str | None = None
    address: tuple[str, int] | None = None
    port_is_movable: bool = False  # another port is chosen if a foreign process holds this one
    needs: tuple[str, ...] = ()  # must be ready first
    stage: int = 0  # lower stages stop first
    stop_timeout: float = 10  # seconds from SIGTERM to SIGKILL
    stuck_after: float | None = None  # restarted when not ready for so many s though all needs are
    oneshot: bool = False  # does its work, then exits with 0
    restart_after_full_disk: bool = False  # one failed write makes all later ones fail

    @cached_property
    def fingerprint(self) -> str:
        """Differs exactly when a process must be restarted to get from one spec to another."""
        text = json.dumps([self.command, self.environment, self.files], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]
