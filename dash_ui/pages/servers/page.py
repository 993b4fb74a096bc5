"""Servers: the processes, what they write, and what they work on."""

import os
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dash
import dash_bootstrap_components as dbc
from dash import ALL, Input, Output, dcc, html, no_update

from api_client import updates as api_updates
from api_client.client import ApiError, Client
from dash_ui.auth.read_only import changing, refusal
from dash_ui.components import elements
from dash_ui.pages.market import text as market_text
from dash_ui.pages.servers import cards, logs, updates
from dash_ui.pages.servers import text as words
from dash_ui.pages.servers.actions import carry_out
from settings import SettingsError
from supervisor.control import Overview, Processes
from supervisor.state_dir import STATE_FILE

PATH = "/servers"
NAME = "Servers"

INTERVAL_MS = 500  # what became of a process is to be seen within 2 s, on a busy machine too
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
            dcc.Interval(id="servers-interval", interval=INTERVAL_MS),
            dcc.Store(id="servers-tick"),
            html.Span(id="servers-beat", hidden=True),
            html.H1("Servers", className="h3"),
            elements.silent_alert(),
            html.Div(
                words.ANOTHERS, id="servers-anothers", className="alert alert-info", hidden=True
            ),
            html.Div(
                id="servers-alert", className="alert alert-warning", role="alert", hidden=True
            ),
            html.Div([cards.panel(), body], id="servers-data"),
        ]
    )


def register(app: dash.Dash, client: Client, _currency: str) -> None:
    """Add the page's callbacks: on the processes of the app's home, and on what `client` reads."""
    home = app.server.config["KOINX_HOME"]
    _register_updates(app, client)
    processes = Processes(home or NOWHERE)
    logs.register(app, processes)
    elements.register_tick(app, "servers")

    @app.callback(
        output=OUTPUTS,
        inputs={"_tick": Input("servers-tick", "data"), "_said": Input("servers-said", "children")},
        running=[(Output("servers-interval", "disabled"), True, False)],
    )
    def show(_tick: float | None, _said: str | None) -> dict[str, Any]:
        return _shown(processes)

    @app.callback(
        Output("servers-said", "children"),
        Input({"type": "servers-do", "verb": ALL, "name": ALL}, "n_clicks"),
        prevent_initial_call=True,
    )
    @changing
    def steer(_clicks: list[int | None]) -> Any:
        clicked = dash.ctx.triggered_id
        if not clicked or not dash.ctx.triggered[0]["value"]:
            return no_update
        said = carry_out(processes, clicked["verb"], clicked["name"])
        return f"{datetime.now(UTC):%H:%M:%S} UTC: {said}"


def _register_updates(app: dash.Dash, client: Client) -> None:
    elements.register_tick(app, "servers-work")

    @app.callback(
        output=updates.OUTPUTS,
        inputs={"_tick": Input("servers-work-tick", "data")},
        running=[(Output("servers-work-interval", "disabled"), True, False)],
    )
    def show(_tick: float | None) -> dict[str, Any]:
        try:
            found = api_updates.read(client, updates.ROWS)
        except ApiError as error:
            return updates.outage(f"{error.message} {error.next_step}")
        return updates.shown(found, datetime.now(UTC))

    @app.callback(
        Output("servers-updated", "children"),
        Input("servers-update", "n_clicks"),
        running=[
            (Output("servers-update", "disabled"), True, False),
            (Output("servers-update", "children"), "Updating …", "Update now"),
        ],
        prevent_initial_call=True,
    )
    @changing
    def update(_clicks: int | None) -> str:
        try:
            client.refresh()
            said = market_text.changed(client.last_update())
        except ApiError as error:
            said = f"{error.message} {error.next_step}"
        return f"{datetime.now(UTC):%H:%M:%S} UTC: {said}"


def _shown(processes: Processes) -> dict[str, Any]:
    overview = processes.overview()
    try:
        settings, problem = processes.settings(), ""
    except SettingsError as error:
        settings, problem = None, str(error)
    ours = settings is not None or any(process["pid"] for process in overview.processes)
    concern = problem
    if not ours:
        # What is left of earlier runs says nothing of what runs now.
        overview = Overview(0, None, [], None)
    elif not problem:
        supervised = processes.supervised()
        concern = words.concern(overview, supervised=supervised, silence=_silence(processes))
    steered = settings is not None and refusal() is None
    return {
        "beat": datetime.now(UTC).isoformat(),
        "another": ours or bool(problem),
        "alert": not concern,
        "alert_text": concern,
        "output": "" if ours else "d-none",
        "count": words.count(overview.processes) if ours else "",
        "cards": cards.shown(overview, processes, steered=steered),
        "all": cards.shown_of_all(overview, steered=steered),
    }


def _silence(processes: Processes) -> float | None:
    """Seconds since the supervisor last wrote the states."""
    with suppress(OSError):
        return time.time() - (processes.folder.run / STATE_FILE).stat().st_mtime
    return None
