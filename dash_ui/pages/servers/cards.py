"""The Servers page's cards: each process with its state and buttons."""

from typing import Any

import dash_bootstrap_components as dbc
from dash import Output, html

from dash_ui.auth import read_only
from dash_ui.components.elements import aria
from dash_ui.pages.servers import text
from dash_ui.pages.servers.actions import ALL, VERBS
from supervisor.control import Detail, Overview, Processes
from supervisor.process_plan import NAMES

RUNNING = ("running", "starting")


def button(verb: str, name: str) -> dict[str, str]:
    """The id of a button."""
    return {"type": "servers-do", "verb": verb, "name": name}


def _outputs(name: str) -> dict[str, Any]:
    return {
        "hidden": Output(f"servers-card-{name}", "hidden"),
        "class": Output(f"servers-card-{name}", "className"),
        **{
            part: Output(f"servers-card-{name}-{part}", "children")
            for part in ("state", "figures", "trouble")
        },
        "url": Output(f"servers-card-{name}-url", "children"),
        "href": Output(f"servers-card-{name}-url", "href"),
        "off": {verb: Output(button(verb, name), "disabled") for verb in VERBS},
    }


OUTPUTS = {name: _outputs(name) for name in NAMES}
OUTPUTS_OF_ALL = {verb: Output(button(verb, ALL), "disabled") for verb in VERBS}


def panel() -> html.Section:
    """The cards, empty, below the buttons for all processes."""
    return html.Section(
        [
            html.Div(
                [
                    html.H2("Processes", className="h5 m-0"),
                    html.Span(id="servers-count", className="text-body-secondary"),
                    html.Div(_buttons(ALL), className="servers-buttons ms-auto"),
                ],
                className="koinx-tools",
            ),
            html.P(read_only.refusal(), id="servers-said", className="small mb-2", role="status"),
            html.Ul([_card(name) for name in NAMES], className="servers-cards"),
        ],
        **aria(label="Processes"),
    )


def _card(name: str) -> html.Li:
    return html.Li(
        [
            html.H3(name, className="servers-name"),
            html.P(id=f"servers-card-{name}-state", className="servers-state"),
            html.P(id=f"servers-card-{name}-figures", className="servers-figures"),
            html.P(html.A(id=f"servers-card-{name}-url"), className="servers-figures"),
            html.P(id=f"servers-card-{name}-trouble", className="servers-trouble"),
            html.Div(_buttons(name), className="servers-buttons"),
        ],
        id=f"servers-card-{name}",
        className="servers-card",
        hidden=True,
    )


def _buttons(name: str) -> list[dbc.Button]:
    name_class = "" if name == ALL else "visually-hidden"
    return [
        dbc.Button(
            # Screen readers need the process's name on its button; the card shows it.
            [verb.capitalize(), html.Span(f" {name}", className=name_class)],
            id=button(verb, name),
            size="sm",
            color="secondary",
            outline=True,
            disabled=True,
        )
        for verb in VERBS
    ]


def render(overview: Overview, processes: Processes, *, enabled: bool) -> dict[str, Any]:
    """The cards; `enabled`: whether their buttons work."""
    return {name: _render_card(overview.get(name), processes, enabled) for name in NAMES}


def render_buttons_for_all(overview: Overview, *, enabled: bool) -> dict[str, bool]:
    """Whether each button for all processes is disabled."""
    running = any(process["pid"] for process in overview.processes)
    can_end = enabled and running
    return {"start": not enabled, "stop": not can_end, "restart": not can_end}


def _render_card(process: Detail | None, processes: Processes, enabled: bool) -> dict[str, Any]:
    if process is None:
        nothing = dict.fromkeys(("state", "figures", "trouble", "url", "href"), "")
        off = dict.fromkeys(VERBS, True)
        return {**nothing, "hidden": True, "class": "servers-card", "off": off}
    name, state, url = process["name"], process["state"], process["url"]
    ended = state in ("crashed", "failed")
    stopped = state == "stopped"
    return {
        "hidden": False,
        "class": f"servers-card servers-is-{state}",
        "state": text.state(process),
        "figures": text.figures(process) if process["pid"] else "",
        "trouble": text.trouble(process, processes.last_lines(name) if ended else []),
        "url": url or "",
        # A browser can open no other kind of address.
        "href": url if url and url.startswith("http") else None,
        "off": {
            "start": not enabled or state in RUNNING,
            "stop": not enabled or stopped,
            "restart": not enabled or stopped,
        },
    }
