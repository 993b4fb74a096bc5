"""One line an event, in every process alike, with the update that it is about."""

from logbook.lines import about, get, note, wipe
from logbook.setup import set_up

__all__ = ["about", "get", "note", "set_up", "wipe"]
