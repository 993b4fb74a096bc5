"""The dashboard in read-only mode."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import flask
import pytest
from flask.testing import FlaskClient
from playwright.sync_api import Browser, expect

import settings as project
from bench.harness.browser import checked
from dash_ui.app import create_app
from dash_ui.auth.login_link import LINK_LIFETIME, create_link
from dash_ui.auth.read_only import MESSAGE
from supervisor.control import Processes
from supervisor.state_dir import StateDir
from tests.harness.process_control import facade, settings, wait_ready
from tests.harness.supervised import folder
from tests.harness.web_server import start, stop

pytestmark = pytest.mark.system

__all__ = ["facade", "folder", "settings"]

STEER = {"type": "servers-do", "verb": "restart", "name": "api"}


@dataclass
class Api:
    """Answers nothing of use, and knows what it was asked to change."""

    url: str
    changes: list[str] = field(default_factory=list)


@pytest.fixture
def api() -> Iterator[Api]:
    app = flask.Flask("api")

    @app.route("/<path:path>", methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
    def answer(path: str) -> dict[str, str]:
        if flask.request.method != "GET":
            found.changes.append(path)
        return {}

    server = start(app)
    found = Api(f"http://127.0.0.1:{server.server_port}")
    yield found
    stop(server)


def visit(app: Any, home: StateDir) -> FlaskClient:
    """A browser that opened the dashboard, with all that its page would send."""
    client: FlaskClient = app.server.test_client()
    assert (
        client.get(create_link("", home, LINK_LIFETIME), follow_redirects=True).status_code == 200
    )
    return client


def hand_made(output: str, callback: dict[str, Any]) -> dict[str, Any]:
    """A request for one of the app's callbacks, as if every input had changed."""

    def given(one: dict[str, str]) -> Any:
        if one["id"].startswith("{"):
            return [{"id": STEER, "property": one["property"], "value": 1}]
        return {**one, "value": 1 if one["property"] == "n_clicks" else None}

    written = [each.rsplit(".", 1) for each in output.strip(".").split("...")]
    outputs = [{"id": name, "property": of} for name, of in written]
    steer = json.dumps(STEER, sort_keys=True, separators=(",", ":"))
    changed = [
        f"{steer if one['id'].startswith('{') else one['id']}.{one['property']}"
        for one in callback["inputs"]
    ]
    return {
        "output": output,
        "outputs": outputs if output.startswith("..") else outputs[0],
        "inputs": [given(one) for one in callback["inputs"]],
        "state": [given(one) for one in callback["state"]],
        "changedPropIds": changed,
    }


@pytest.mark.parametrize("read_only", [False, True])
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_no_request_to_any_callback_changes_anything(
    facade: Processes, settings: project.Settings, api: Api, *, read_only: bool
) -> None:
    # Given
    wait_ready(facade, serial := facade.up(settings), "mongodb", "api")
    app = create_app(api.url, home=facade.state_dir.home, read_only=read_only)
    client = visit(app, facade.state_dir)
    callbacks = {name: one for name, one in app.callback_map.items() if "callback" in one}
    # When
    answers = {
        name: client.post("/_dash-update-component", json=hand_made(name, one))
        for name, one in callbacks.items()
    }
    # Then
    wished = facade.state_dir.read("wish.json")["serial"] - serial
    assert (wished, api.changes) == ((0, []) if read_only else (1, ["trigger-update"] * 2))
    refused = [answer.text for answer in answers.values() if answer.status_code == 403]
    assert refused == ([MESSAGE] * 3 if read_only else [])
    assert len(callbacks) > 8


def test_the_pages_show_everything_and_their_buttons_are_off_and_say_so(
    facade: Processes, settings: project.Settings, api: Api, browser: Browser
) -> None:
    wait_ready(facade, facade.up(settings), "mongodb", "api")
    server = start(create_app(api.url, home=facade.state_dir.home, read_only=True).server)
    url = f"http://127.0.0.1:{server.server_port}"
    with browser.new_context(base_url=url) as context:
        context.clock.install()
        with checked(context.new_page(), url) as page:
            page.goto(create_link(url, facade.state_dir, LINK_LIFETIME))
            expect(page.get_by_role("button", name="Refresh now")).to_be_disabled()
            expect(page.locator("#market-refreshed-text")).to_have_text(MESSAGE)
            page.get_by_role("link", name="Servers", exact=True).click()
            expect(page.locator("#servers-card-api-state")).to_have_text("● running, ready")
            expect(page.locator("#servers-said")).to_have_text(MESSAGE)
            expect(page.locator("#servers-updated")).to_have_text(MESSAGE)
            buttons = page.locator("main").get_by_role("button")
            assert buttons.count() >= 3
            for button in buttons.all():
                expect(button).to_be_disabled()
        # What wakes a page whose server is gone does not wake its buttons.
        stop(server)
        page.clock.run_for(10_000)
        expect(page.locator("body")).to_have_class("koinx-silent")
        expect(page.get_by_role("button", name="Update now")).to_be_disabled()
