"""The Servers page's updates: the last ones with their hops, the next one, and the repairs."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import dash_bootstrap_components as dbc
from dash import Output, dcc, html, no_update

from api_client.updates import Run, Work, durations, seconds
from dash_ui.auth import read_only
from dash_ui.components.elements import aria
from dash_ui.pages.servers import text as words

INTERVAL_MS = 1_000
ROWS = 6
PARTS = ("what", "hops")
RUN_OUTPUTS = [
    {
        "hidden": Output(f"servers-run-{place}", "hidden"),
        "title": Output(f"servers-run-{place}", "title"),
        "style": Output(f"servers-run-{place}-bar", "style"),
        **{part: Output(f"servers-run-{place}-{part}", "children") for part in PARTS},
    }
    for place in range(ROWS)
]
OUTPUTS = {
    "due": Output("servers-due", "children"),
    "running": Output("servers-progress", "value"),
    "running_hidden": Output("servers-progress-box", "hidden"),
    "runs": RUN_OUTPUTS,
    "none": Output("servers-no-runs", "hidden"),
    "repairs": Output("servers-repairs-text", "children"),
    "repaired": Output("servers-repairs", "value"),
    "repairs_hidden": Output("servers-repairs-box", "hidden"),
}


def panel() -> html.Section:
    """The updates, empty."""
    refused = read_only.refusal()
    return html.Section(
        [
            dcc.Interval(id="servers-work-interval", interval=INTERVAL_MS),
            dcc.Store(id="servers-work-tick"),
            html.Div(
                [
                    html.H2("Updates", className="h5 m-0"),
                    dbc.Button(
                        "Update now",
                        id="servers-update",
                        color="primary",
                        size="sm",
                        disabled=refused is not None,
                    ),
                    html.Span(refused, id="servers-updated", className="small", role="status"),
                ],
                className="koinx-tools",
            ),
            html.P("Reading the API …", id="servers-due", className="mb-2"),
            _bar("servers-progress", "The update under way"),
            html.P("No update yet.", id="servers-no-runs", hidden=True),
            html.Ol([_row(place) for place in range(ROWS)], className="servers-runs"),
            html.H2("Repairs of the history", className="h5"),
            _bar("servers-repairs", "Repairs that ended"),
            html.P(id="servers-repairs-text", className="small"),
        ],
        className="servers-work",
        **aria(label="Updates"),
    )


def _bar(name: str, text: str) -> html.Div:
    return html.Div(
        [html.Label(text, htmlFor=name), html.Progress(id=name, max="1", value="0")],
        id=f"{name}-box",
        className="servers-progress",
        hidden=True,
    )


def _row(place: int) -> html.Li:
    return html.Li(
        [
            html.Div(id=f"servers-run-{place}-what", className="servers-run-what"),
            # The words below say all that it shows.
            html.Div(id=f"servers-run-{place}-bar", className="servers-run-bar"),
            html.Div(id=f"servers-run-{place}-hops", className="servers-run-hops"),
        ],
        id=f"servers-run-{place}",
        hidden=True,
    )


def shown(work: Work, now: datetime) -> dict[str, Any]:
    """A value for each of OUTPUTS."""
    under_way = next((one for one in work.runs if one.state == "running"), None)
    repaired = work.repairs.progress
    return {
        "due": words.due(work.readiness, now),
        "running": f"{under_way.progress:.2f}" if under_way else "0",
        "running_hidden": under_way is None,
        "runs": [_shown(work.runs, place) for place in range(ROWS)],
        "none": bool(work.runs),
        "repairs": words.repairs(work.repairs),
        "repaired": "0" if repaired is None else f"{repaired:.4f}",
        "repairs_hidden": repaired is None,
    }


def outage(said: str) -> dict[str, Any]:
    """The same while the API gives no answer: what was read stays."""
    nothing = dict.fromkeys(("hidden", "title", "style", *PARTS), no_update)
    kept = ("running", "none", "repairs", "repaired", "repairs_hidden")
    return {
        **dict.fromkeys(kept, no_update),
        "due": f"{said} What follows is from before.",
        "running_hidden": True,
        "runs": [nothing] * ROWS,
    }


def _shown(runs: Sequence[Run], place: int) -> dict[str, Any]:
    if place >= len(runs):
        return {"hidden": True, "title": "", "style": {}, "what": "", "hops": ""}
    run = runs[place]
    return {
        "hidden": False,
        "title": run.id,
        "style": {"background": hop_bar(run.hops)},
        "what": words.run(run),
        "hops": hop_times(run.hops),
    }


def hop_times(reached: Mapping[str, datetime]) -> str:
    """Each hop with its time: "streamed 3 ms · received 12 ms · fetched 1.2 s"."""
    return " · ".join(f"{name} {seconds(took)}" for name, took in durations(reached))


def hop_bar(reached: Mapping[str, datetime]) -> str:
    """The hops' shares of the whole time as a CSS background, one stripe a hop."""
    steps = durations(reached)
    whole = sum(took for _, took in steps)
    if not whole:
        return "none"
    stops, end = [], 0.0
    for name, took in steps:
        begin, end = end, end + took * 100 / whole
        stops.append(f"var(--koinx-hop-{name}) {begin:.2f}% {end:.2f}%")
    return f"linear-gradient(to right, {', '.join(stops)})"
