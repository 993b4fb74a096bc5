"""One line an event, in every process alike, with the update that it is about."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from logs.logger import about, get, note, wipe
    from logs.setup import set_up

__all__ = ["about", "get", "note", "set_up", "wipe"]


def __getattr__(name: str) -> Any:
    # At the first use: whoever only reads lines, as `./koinx status`, spares structlog's 0.1 s.
    if name not in __all__:
        raise AttributeError(name)
    return getattr(import_module("logs.setup" if name == "set_up" else "logs.logger"), name)
