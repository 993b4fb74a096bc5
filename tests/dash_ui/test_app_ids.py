"""Each id that a callback names is in a page's layout: a misspelt one would never be called."""

import json
from typing import Any

import dash
import pytest

from dash_ui.app import create_app

# Written by a callback of Dash's own pages.
DASHS = "_pages_"


@pytest.fixture(scope="module")
def app() -> dash.Dash:
    return create_app("http://127.0.0.1:9")


def ids(app: dash.Dash) -> set[str]:
    """Every id of the frame and all pages; of a pattern's its type."""
    with app.server.test_request_context():
        layouts = [page["layout"] for page in dash.page_registry.values()]
        parts = [app.layout, *[one() if callable(one) else one for one in layouts]]
    every = [one for part in parts for one in (part, *part._traverse())]
    found = [getattr(one, "id", None) for one in every]
    return {one["type"] if isinstance(one, dict) else one for one in found if one is not None}


def named(callback: dict[str, Any]) -> set[str]:
    """Every id in a callback's definition."""
    outputs = callback["output"].strip(".").split("...")
    running = [one.rsplit(".", 1)[0] for one in (callback.get("running") or {}).get("running", {})]
    places = [one.rsplit(".", 1)[0] for one in outputs if "." in one]
    places += [one["id"] for one in (*callback["inputs"], *callback["state"])]
    patterns = [json.loads(place) if place.startswith("{") else place for place in places]
    return {one["type"] if isinstance(one, dict) else one for one in [*patterns, *running]}


def test_every_id_of_a_callback_is_in_some_layout(app: dash.Dash) -> None:
    known = ids(app)
    assert len(known) > 100
    callbacks = [one for one in app._callback_list if DASHS not in one["output"]]
    assert len(callbacks) > 10
    for callback in callbacks:
        unknown = {one for one in named(callback) - known if not one.startswith(DASHS)}
        assert unknown == set(), callback["output"]
