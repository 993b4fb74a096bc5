"""What schemathesis checks besides its own checks; it loads this through SCHEMATHESIS_HOOKS."""

import atexit
import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import schemathesis

from bench.hostile_http import wrong

statuses: Counter[str] = Counter()


@schemathesis.check
def in_one_form(ctx: Any, response: Any, case: Any) -> None:
    """No 5xx, no HTML, no traceback; every error in the one form."""
    del ctx, case
    statuses[str(response.status_code)] += 1
    content_type = ",".join(response.headers.get("content-type", []))
    found = wrong(response.status_code, content_type, response.content)
    assert found is None, found


@atexit.register
def _keep() -> None:
    if path := os.environ.get("HOSTILE_STATUSES"):
        Path(path).write_text(json.dumps(statuses))
