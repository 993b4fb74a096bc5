"""Times as text."""

from collections.abc import Sequence
from datetime import datetime

import orjson

SECONDS = len("2026-11-22T08:30:00")
MILLISECONDS = SECONDS + len(".118")


def in_text(moments: Sequence[datetime]) -> list[str]:
    """Aware times as ISO-8601 in UTC, each with three decimals: 2026-11-22T08:30:00.000Z.

    Readers guess a column's form by its first lines, so that all must have the same.
    """
    # A sixth of isoformat's time. orjson leaves out decimals that are all 0.
    texts = orjson.dumps(moments, option=orjson.OPT_UTC_Z).decode()[2:-2].split('","')
    return [
        f"{text[:MILLISECONDS]}Z" if len(text) > MILLISECONDS else f"{text[:SECONDS]}.000Z"
        for text in texts
    ]
