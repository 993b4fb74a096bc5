"""The Servers page's updates: the newest ones with their hops, the next one, and the repairs."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import dash
from dash import Input, Output, html

from api_client.client import ApiError, Client, Update
from api_client.updates import Activity, durations, read_activity, seconds
from dash_ui.components import elements
from dash_ui.components.elements import aria, partial_update
from dash_ui.pages.servers import text

INTERVAL_MS = 1_000
ROWS = 6
UPDATE_BUTTON = {"id": "servers-update", "label": "Update now", "message_id": "servers-updated"}
OUTPUTS = {
    "due": Output("servers-due", "children"),
    "running": Output("servers-progress", "value"),
    "running_hidden": Output("servers-progress-box", "hidden"),
    "runs": [
        {
            "hidden": Output(f"servers-run-{place}", "hidden"),
            "title": Output(f"servers-run-{place}", "title"),
            "style": Output(f"servers-run-{place}-bar", "style"),
            "what": Output(f"servers-run-{place}-what", "children"),
            "hops": Output(f"servers-run-{place}-hops", "children"),
        }
        for place in range(ROWS)
    ],
    "none": Output("servers-no-runs", "hidden"),
    "repairs": Output("servers-repairs-text", "children"),
    "repaired": Output("servers-repairs", "value"),
    "repairs_hidden": Output("servers-repairs-box", "hidden"),
}


def panel() -> html.Section:
    """The updates, empty."""
    return html.Section(
        [
            *elements.ticker("servers-work", INTERVAL_MS),
            html.Div(
                [
                    html.H2("Updates", className="h5 m-0"),
                    *elements.update_button(**UPDATE_BUTTON),
                ],
                className="koinx-tools",
            ),
            html.P("Loading …", id="servers-due", className="mb-2"),
            _progress("servers-progress", "Update in progress"),
            html.P("No update yet.", id="servers-no-runs", hidden=True),
            html.Ol([_row(place) for place in range(ROWS)], className="servers-runs"),
            html.H2("Gap repair", className="h5"),
            _progress("servers-repairs", "Finished repairs"),
            html.P(id="servers-repairs-text", className="small"),
        ],
        className="servers-work",
        **aria(label="Updates"),
    )


def _progress(name: str, label: str) -> html.Div:
    return html.Div(
        [html.Label(label, htmlFor=name), html.Progress(id=name, max="1", value="0")],
        id=f"{name}-box",
        className="servers-progress",
        hidden=True,
    )


def _row(place: int) -> html.Li:
    return html.Li(
        [
            html.Div(id=f"servers-run-{place}-what", className="servers-run-what"),
            # The text below says everything that the bar shows.
            html.Div(id=f"servers-run-{place}-bar", className="servers-run-bar"),
            html.Div(id=f"servers-run-{place}-hops", className="servers-run-hops"),
        ],
        id=f"servers-run-{place}",
        hidden=True,
    )


def register(app: dash.Dash, client: Client) -> None:
    """Add the callbacks that show the updates and start one."""
    elements.register_tick(app, "servers-work")
    elements.register_update_button(app, client, **UPDATE_BUTTON, busy_label="Updating …")

    @app.callback(
        output=OUTPUTS,
        inputs={"_tick": Input("servers-work-tick", "data")},
        running=[(Output("servers-work-interval", "disabled"), True, False)],
    )
    def show(_tick: float | None) -> dict[str, Any]:
        try:
            activity = read_activity(client, ROWS)
        except ApiError as error:
            return render_outage(f"{error.message} {error.next_step}")
        return render(activity, datetime.now(UTC))


def render(activity: Activity, now: datetime) -> dict[str, Any]:
    """A value for each of OUTPUTS."""
    running = next((one for one in activity.updates if one.state == "running"), None)
    repaired = activity.repairs.progress
    return {
        "due": text.due(activity.readiness, now),
        "running": f"{running.progress:.2f}" if running else "0",
        "running_hidden": running is None,
        "runs": [_render_row(activity.updates, place) for place in range(ROWS)],
        "none": bool(activity.updates),
        "repairs": text.repairs(activity.repairs),
        "repaired": "0" if repaired is None else f"{repaired:.4f}",
        "repairs_hidden": repaired is None,
    }


def render_outage(message: str) -> dict[str, Any]:
    """The outputs while the API gives no answer: what was read before stays."""
    values = {"due": f"{message} Showing the last known data.", "running_hidden": True}
    return dict(partial_update(OUTPUTS, values))


def _render_row(updates: Sequence[Update], place: int) -> dict[str, Any]:
    if place >= len(updates):
        return {"hidden": True, "title": "", "style": {}, "what": "", "hops": ""}
    update = updates[place]
    return {
        "hidden": False,
        "title": update.id,
        "style": {"background": hop_bar(update.hops)},
        "what": text.update(update),
        "hops": hop_times(update.hops),
    }


def hop_times(hops: Mapping[str, datetime]) -> str:
    """Each hop with its duration: "streamed 3 ms · received 12 ms · fetched 1.2 s"."""
    return " · ".join(f"{name} {seconds(duration)}" for name, duration in durations(hops))


def hop_bar(hops: Mapping[str, datetime]) -> str:
    """Each hop's share of the total time, as a striped CSS background."""
    steps = durations(hops)
    total = sum(duration for _, duration in steps)
    if not total:
        return "none"
    stops, end = [], 0.0
    for name, duration in steps:
        begin, end = end, end + duration * 100 / total
        stops.append(f"var(--koinx-hop-{name}) {begin:.2f}% {end:.2f}%")
    return f"linear-gradient(to right, {', '.join(stops)})"
