"""What schemathesis checks besides its own checks; it loads this through SCHEMATHESIS_HOOKS."""

import atexit
import json
import os
import re
from collections import Counter
from pathlib import Path
from typing import Any

import schemathesis

from bench.fuzz.http import wrong

statuses: Counter[str] = Counter()


@schemathesis.hook
def before_call(ctx: Any, case: Any, kwargs: Any) -> None:
    """Lets each stream end soon, since it has no end of its own; what is refused stays as it is."""
    del ctx, kwargs
    if case.path == "/v1/events":
        _shorten(case.query, {"seconds": range(1, 3601), "limit": range(1, 1001)})
        _shorten(case.query, {"last_event_id": range(10**15)})
        _shorten(case.headers, {"Last-Event-ID": range(10**15)})


def _shorten(sent: Any, allowed: dict[str, range]) -> None:
    for name, values in allowed.items():
        value = str(sent.get(name, values[0]))
        if re.fullmatch("[0-9]{1,15}", value) and int(value) in values:
            sent[name] = str(values[0])


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
