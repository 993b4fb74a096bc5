"""Structured logging: every process writes one line per event, with the update it belongs to."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from logs.logger import about, get, note, wipe
    from logs.setup import set_up

__all__ = ["about", "get", "note", "set_up", "wipe"]


def __getattr__(name: str) -> Any:
    # Imported on first use: commands that only read logs, such as `./koinx status`, save the 0.1 s
    # that structlog takes to load.
    if name not in __all__:
        raise AttributeError(name)
    return getattr(import_module("logs.setup" if name == "set_up" else "logs.logger"), name)
