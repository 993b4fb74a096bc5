"""The Servers page's cards: each process with its state and its buttons."""

from typing import Any

import dash_bootstrap_components as dbc
from dash import Output, html

from dash_ui.auth import read_only
from dash_ui.components.elements import aria
from dash_ui.pages.servers import text as words
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
    """The cards, empty, under the buttons for all."""
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
    return [
        dbc.Button(
            [verb.capitalize(), html.Span(f" {name}", className=_class_of_name(name))],
            id=button(verb, name),
            size="sm",
            color="secondary",
            outline=True,
            disabled=True,
        )
        for verb in VERBS
    ]


def _class_of_name(name: str) -> str:
    # Who hears the page must be told whose button it is; who sees it sees that.
    return "" if name == ALL else "visually-hidden"


def shown(overview: Overview, processes: Processes, *, steered: bool) -> dict[str, Any]:
    """A value for each of OUTPUTS; `steered`: whether the buttons do something."""
    return {name: _shown(name, overview.get(name), processes, steered) for name in NAMES}


def shown_of_all(overview: Overview, *, steered: bool) -> dict[str, bool]:
    """A value for each of OUTPUTS_OF_ALL."""
    some = any(process["pid"] for process in overview.processes)
    return {"start": not steered, "stop": not (steered and some), "restart": not (steered and some)}


def _shown(
    name: str, process: Detail | None, processes: Processes, steered: bool
) -> dict[str, Any]:
    if process is None:
        nothing = dict.fromkeys(("state", "figures", "trouble", "url", "href"), "")
        off = dict.fromkeys(VERBS, True)
        return {**nothing, "hidden": True, "class": "servers-card", "off": off}
    fell = process["state"] in ("crashed", "failed")
    url = process["url"]
    return {
        "hidden": False,
        "class": f"servers-card servers-is-{process['state']}",
        "state": words.state(process),
        "figures": words.figures(process) if process["pid"] else "",
        "trouble": words.trouble(process, processes.last_lines(name) if fell else []),
        "url": url or "",
        # Of the others a browser cannot show anything.
        "href": url if url and url.startswith("http") else None,
        "off": _off(process, steered),
    }


def _off(process: Detail, steered: bool) -> dict[str, bool]:
    stopped = process["state"] == "stopped"
    return {
        "start": not steered or process["state"] in RUNNING,
        "stop": not steered or stopped,
        "restart": not steered or stopped,
    }
