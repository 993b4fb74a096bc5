"""What a check found."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "note", "idle", "fault"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: `ok`, worth a `note`, `idle` (there is nothing to look at), or a `fault`.

    A fault says in `cure` what to do about it.
    """

    check: str
    state: State
    text: str
    cure: str | None = None


Check = Callable[[], list[Finding]]


def fault(check: str, text: str, cure: str) -> Finding:
    """A fault with its cure."""
    return Finding(check, "fault", text, cure)
