"""The Servers page's live log of one process."""

import re
from pathlib import Path
from typing import Any

import dash
import dash_bootstrap_components as dbc
from dash import ClientsideFunction, Input, Output, State, dcc, html, no_update
from dash.exceptions import PreventUpdate
from flask import Response, abort

from dash_ui.components import elements
from dash_ui.components.elements import aria
from supervisor.control import Processes
from supervisor.log_files import last_lines
from supervisor.process_plan import NAMES, OTHER_LOGS

INTERVAL_MS = 1_000
LOG_NAMES = (*NAMES, *OTHER_LOGS)
COUNTS = (100, 500, 2000)
PATH = "/servers/output/"
COLOURS = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


def panel() -> html.Section:
    """The log, empty, with its controls."""
    return html.Section(
        [
            *elements.ticker("servers-output", INTERVAL_MS),
            dcc.Store(id="servers-output-mark"),
            html.Span(id="servers-output-scrolled", hidden=True),
            html.H2("Live log", className="h5"),
            html.Div(
                [
                    _labelled("Process", _select("servers-output-name", LOG_NAMES, "api")),
                    _labelled("Lines", _select("servers-output-count", COUNTS, COUNTS[0])),
                    _labelled(
                        "Filter",
                        dbc.Input(
                            id="servers-output-filter",
                            type="search",
                            placeholder="any text",
                            autocomplete="off",
                            size="sm",
                            debounce=0.3,
                        ),
                    ),
                    dbc.Switch(id="servers-output-follow", label="Follow", value=True),
                    dbc.Switch(id="servers-output-pause", label="Pause", value=False),
                    html.A("Download", id="servers-output-download", download=""),
                ],
                className="servers-choices",
            ),
            html.P(id="servers-output-said", className="small m-0 text-body-secondary"),
            html.Pre(
                id="servers-output-text",
                className="servers-output",
                tabIndex=0,
                role="region",
                **aria(label="Log"),
            ),
        ],
        **aria(label="Live log"),
    )


def _select(name: str, options: tuple[object, ...], chosen: object) -> dbc.Select:
    return dbc.Select(list(map(str, options)), str(chosen), id=name, size="sm")


def _labelled(text: str, control: dbc.Select | dbc.Input) -> html.Div:
    return html.Div([html.Label(text, htmlFor=control.id), control])


def register(app: dash.Dash, processes: Processes) -> None:
    """Add the callbacks and the download URL."""
    elements.register_tick(app, "servers-output")
    app.clientside_callback(  # type: ignore[no-untyped-call]
        ClientsideFunction(namespace="koinx", function_name="toTheEnd"),
        Output("servers-output-scrolled", "children"),
        Input("servers-output-text", "children"),
        Input("servers-output-follow", "value"),
        State("servers-output-text", "id"),
    )

    @app.callback(
        Output("servers-output-text", "children"),
        Output("servers-output-said", "children"),
        Output("servers-output-download", "href"),
        Output("servers-output-mark", "data"),
        Input("servers-output-tick", "data"),
        Input("servers-output-name", "value"),
        Input("servers-output-count", "value"),
        Input("servers-output-filter", "value"),
        Input("servers-output-pause", "value"),
        State("servers-output-mark", "data"),
        running=[(Output("servers-output-interval", "disabled"), True, False)],
    )
    def show(
        _tick: float | None, name: str, count: str, part: str | None, paused: bool, mark: Any
    ) -> tuple[Any, Any, Any, Any]:
        if name not in LOG_NAMES or count not in map(str, COUNTS):
            return no_update, f"There is no log named {name!r}.", no_update, no_update
        if paused and dash.ctx.triggered_id in ("servers-output-tick", "servers-output-pause"):
            message = "Paused: new lines appear when you resume."
            return no_update, message, no_update, None
        log = processes.state_dir.log(name)
        new_mark = [name, count, part, *_version(log)]
        if new_mark == mark:
            raise PreventUpdate
        lines = last_lines(log, int(count))
        matches = matching(lines, part or "")
        url = app.get_relative_path(f"{PATH}{name}")  # type: ignore[no-untyped-call]
        return "\n".join(matches), describe(name, lines, matches, part or ""), url, new_mark

    @app.server.get(f"{PATH}<name>")
    def download_output(name: str) -> Response:
        if name not in LOG_NAMES:
            abort(404)
        try:
            data = processes.state_dir.log(name).read_bytes()
        except OSError:
            abort(404)
        disposition = f'attachment; filename="{name}.log"'
        return Response(data, 200, {"Content-Disposition": disposition}, mimetype="text/plain")


def matching(lines: list[str], part: str) -> list[str]:
    """The lines that contain `part`, ignoring case, without terminal colours."""
    plain = (COLOURS.sub("", line) for line in lines)
    return [line for line in plain if part.casefold() in line.casefold()]


def _version(log: Path) -> tuple[int, int]:
    """Size and time of a file, which change whenever it is written."""
    try:
        status = log.stat()
    except OSError:
        return 0, 0
    return status.st_size, status.st_mtime_ns


def describe(name: str, lines: list[str], matches: list[str], part: str) -> str:
    """Which lines are shown."""
    if not lines:
        return f"The log of {name} is empty."
    filtered = f', {len(matches):,} of them with "{part}"' if part else ""
    return f"Last {len(lines):,} lines of {name}{filtered}"
