"""The result of a check."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "note", "idle", "fault"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: `ok`, a `note`, `idle` (there is nothing to check), or a `fault`.

    The `cure` of a fault says how to fix it.
    """

    check: str
    state: State
    text: str
    cure: str | None = None


Check = Callable[[], list[Finding]]


def problem(check: str, text: str, cure: str) -> Finding:
    """Returns a fault and how to fix it."""
    return Finding(check, "fault", text, cure)
