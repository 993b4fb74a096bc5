"""What a disk says of its room."""

from typing import NamedTuple


class Usage(NamedTuple):
    total: int
    used: int
    free: int
