"""Page elements that several pages share."""

from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import dash
import dash_bootstrap_components as dbc
from dash import ClientsideFunction, Input, Output, dcc, html, no_update

from api_client.client import ApiError, Client
from dash_ui.auth.read_only import changes_state, refusal
from dash_ui.components import format as fmt

# One theme for every table, in the page's own colours.
ROW_PX, HEADER_PX = 42, 44
GRID_THEME = (
    "themeQuartz.withParams({backgroundColor: 'var(--bs-body-bg)', "
    "foregroundColor: 'var(--bs-body-color)', borderColor: 'var(--bs-border-color)', "
    "headerBackgroundColor: 'var(--bs-tertiary-bg)', chromeBackgroundColor: "
    "'var(--bs-tertiary-bg)', accentColor: 'var(--koinx-accent)', fontFamily: 'inherit', "
    "fontSize: 14, wrapperBorderRadius: 8, cellHorizontalPadding: 7, "
    f"rowHeight: {ROW_PX}, headerHeight: {HEADER_PX}" + "})"
)
GRID_OPTIONS = {
    "theme": {"function": GRID_THEME},
    "animateRows": False,
    # The arrow keys move between cells; Tab leaves the table instead of visiting every cell.
    "tabToNextCell": {"function": "leaveTable()"},
}


def partial_update(outputs: Any, values: Any = no_update) -> Any:
    """`values` in the shape of a callback's `outputs`, with no_update for each one left out."""
    if isinstance(outputs, dict):
        given = {} if values is no_update else values
        return {
            name: partial_update(outputs[name], given.get(name, no_update))
            for name in (*outputs, *(given.keys() - outputs.keys()))
        }
    if isinstance(outputs, list) and values is no_update:
        return [partial_update(output) for output in outputs]
    return values


def aria(**attributes: str) -> dict[str, Any]:
    """Attributes for screen readers: `label` becomes `aria-label`, which is no Python name."""
    return {f"aria-{name}": text for name, text in attributes.items()}


def coin_url(coin: str) -> str:
    """The URL of a coin's page; the id may contain any characters."""
    return f"/coin/{quote(coin, safe='')}"


def silent_alert() -> html.Div:
    """The alert that a script shows when the dashboard's own server stops responding."""
    return html.Div(
        "The dashboard's own server does not answer, so the age of this data is unknown. Retrying "
        "automatically. ./koinx status shows whether the dashboard runs, and prints a new link.",
        className="alert alert-danger koinx-when-silent",
        role="alert",
    )


def title(page: str, text: str, **attributes: Any) -> html.Div:
    """A page's heading, and a hidden badge for simulated prices."""
    return html.Div(
        [
            html.H1(text, className="h3 m-0", **attributes),
            html.Span(id=f"{page}-simulated", className="koinx-badge", hidden=True),
        ],
        className="d-flex flex-wrap align-items-center gap-2",
    )


def alert(page: str, *children: Any) -> html.Div:
    """A page's hidden alert: what is wrong, what to do, and `children` behind that."""
    return html.Div(
        [html.Strong(id=f"{page}-alert-what"), " ", html.Span(id=f"{page}-alert-next"), *children],
        id=f"{page}-alert",
        className="alert alert-warning",
        role="alert",
        hidden=True,
    )


def ticker(name: str, interval_ms: int) -> list[Any]:
    """The interval of a page that `register_tick` serves."""
    interval = dcc.Interval(id=f"{name}-interval", interval=interval_ms)
    return [interval, dcc.Store(id=f"{name}-tick")]


def register_tick(app: dash.Dash, name: str) -> None:
    """Pass the interval's ticks on, but only while the page is visible."""
    app.clientside_callback(  # type: ignore[no-untyped-call]
        ClientsideFunction(namespace="koinx", function_name="tick"),
        Output(f"{name}-tick", "data"),
        Input(f"{name}-interval", "n_intervals"),
    )


def update_button(id: str, label: str, message_id: str) -> list[Any]:
    """A button that runs an update, and the place for its result."""
    refused = refusal()
    return [
        dbc.Button(label, id=id, color="primary", size="sm", disabled=refused is not None),
        html.Span(refused, id=message_id, className="small", role="status"),
    ]


def register_update_button(
    app: dash.Dash, client: Client, *, id: str, label: str, busy_label: str, message_id: str
) -> None:
    """Have the `update_button` run an update and report its result."""

    @app.callback(
        Output(message_id, "children"),
        Input(id, "n_clicks"),
        running=[
            (Output(id, "disabled"), True, False),
            (Output(id, "children"), busy_label, label),
        ],
        prevent_initial_call=True,
    )
    @changes_state
    def run_update(_clicks: int | None) -> str:
        try:
            client.refresh()
            message = fmt.update_result(client.last_update())
        except ApiError as error:
            message = f"{error.message} {error.next_step}"
        return f"{fmt.moment(datetime.now(UTC))}: {message}"


def radio_group(
    id: str, label: str, options: dict[str, str], value: str, *, show_label: bool = False
) -> html.Div:
    """A choice of one of `options`, whose keys are the values."""
    radio = dbc.RadioItems(
        id=id,
        name=id,  # makes it one group, in which the arrow keys choose
        options=[{"label": text, "value": key} for key, text in options.items()],
        value=value,
        inline=True,
        class_name="small d-inline-block",
    )
    caption = [html.Span(f"{label}:", className="koinx-label me-2")] if show_label else []
    return html.Div([*caption, radio], role="group", **aria(label=label))


def curl_snippet(id: str, name: str) -> html.Details:
    """A collapsed API request as a curl command, empty, with a button that copies it."""
    return html.Details(
        [
            html.Summary(f"{name} API request"),
            html.Code(id=id, className="koinx-curl"),
            html.Button(
                "Copy as curl",
                type="button",
                className="btn btn-sm btn-outline-secondary koinx-copy",
                **aria(label=f"Copy as curl: {name} API request", controls=id),
            ),
            html.Span(role="status", className="small ms-2"),
        ],
        className="small mb-2",
    )
