"""Servers: the processes, their logs, and the updates they work on."""

import os
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dash
import dash_bootstrap_components as dbc
from dash import ALL, Input, Output, html, no_update

from api_client.client import Client
from dash_ui.auth.read_only import changes_state, refusal
from dash_ui.components import elements
from dash_ui.pages.servers import cards, logs, text, updates
from dash_ui.pages.servers.actions import handle_action
from settings import SettingsError
from supervisor.control import Overview, Processes
from supervisor.state_dir import STATE_FILE

PATH = "/servers"
NAME = "Servers"

INTERVAL_MS = 500  # a change of a process must show within 2 s, on a busy machine too
NOWHERE = Path(os.devnull)  # a home in which nothing can run
OUTPUTS = {
    "beat": Output("servers-beat", "children"),
    "another": Output("servers-anothers", "hidden"),
    "alert": Output("servers-alert", "hidden"),
    "alert_text": Output("servers-alert", "children"),
    "output": Output("servers-output", "className"),
    "count": Output("servers-count", "children"),
    "cards": cards.OUTPUTS,
    "all": cards.OUTPUTS_OF_ALL,
}


def layout() -> html.Div:
    """The page, empty; its callbacks fill in texts and never rebuild it."""
    body = dbc.Row(
        [
            dbc.Col(updates.panel(), xl=5),
            dbc.Col(logs.panel(), id="servers-output", xl=7),
        ],
        class_name="g-3",
    )
    return html.Div(
        [
            *elements.ticker("servers", INTERVAL_MS),
            html.Span(id="servers-beat", hidden=True),
            html.H1("Servers", className="h3"),
            elements.silent_alert(),
            html.Div(
                text.NOT_OURS, id="servers-anothers", className="alert alert-info", hidden=True
            ),
            html.Div(
                id="servers-alert", className="alert alert-warning", role="alert", hidden=True
            ),
            html.Div([cards.panel(), body], id="servers-data"),
        ]
    )


def register(app: dash.Dash, client: Client, _currency: str) -> None:
    """Add the page's callbacks: on the processes of the app's home, and on what `client` reads."""
    processes = Processes(app.server.config["KOINX_HOME"] or NOWHERE)
    logs.register(app, processes)
    updates.register(app, client)
    elements.register_tick(app, "servers")

    @app.callback(
        output=OUTPUTS,
        inputs={"_tick": Input("servers-tick", "data"), "_said": Input("servers-said", "children")},
        running=[(Output("servers-interval", "disabled"), True, False)],
    )
    def show(_tick: float | None, _said: str | None) -> dict[str, Any]:
        return _render(processes)

    @app.callback(
        Output("servers-said", "children"),
        Input({"type": "servers-do", "verb": ALL, "name": ALL}, "n_clicks"),
        prevent_initial_call=True,
    )
    @changes_state
    def act(_clicks: list[int | None]) -> Any:
        clicked = dash.ctx.triggered_id
        if not clicked or not dash.ctx.triggered[0]["value"]:
            return no_update
        message = handle_action(processes, clicked["verb"], clicked["name"])
        return f"{datetime.now(UTC):%H:%M:%S} UTC: {message}"


def _render(processes: Processes) -> dict[str, Any]:
    overview = processes.overview()
    try:
        settings, concern = processes.settings(), ""
    except SettingsError as error:
        settings, concern = None, str(error)
    ours = settings is not None or any(process["pid"] for process in overview.processes)
    not_ours = not ours and not concern
    if not ours:
        # The remains of earlier runs say nothing about what runs now.
        overview = Overview(0, None, [], None)
    elif not concern:
        supervised = processes.supervised()
        concern = text.concern(overview, supervised=supervised, silence=_silence(processes))
    enabled = settings is not None and refusal() is None
    return {
        "beat": datetime.now(UTC).isoformat(),
        "another": not not_ours,
        "alert": not concern,
        "alert_text": concern,
        "output": "" if ours else "d-none",
        "count": text.count(overview.processes) if ours else "",
        "cards": cards.render(overview, processes, enabled=enabled),
        "all": cards.render_buttons_for_all(overview, enabled=enabled),
    }


def _silence(processes: Processes) -> float | None:
    """Seconds since the supervisor last wrote the states."""
    with suppress(OSError):
        return time.time() - (processes.state_dir.run / STATE_FILE).stat().st_mtime
    return None
