"""The Market page's chart, which compares deviations."""

import dash_bootstrap_components as dbc
from dash import html

from dash_ui.pages import common
from dash_ui.pages.aria import aria


def panel() -> html.Section:
    """The chart, empty, with its heading and the choice of its unit."""
    return html.Section(
        [
            html.H2("Deviation compared", className="h5 m-0"),
            html.Div(
                dbc.RadioItems(
                    id="market-unit",
                    options=[
                        {"label": "Share of the price", "value": "share"},
                        {"label": "Amount", "value": "money"},
                    ],
                    value="share",
                    inline=True,
                    class_name="small",
                ),
                role="group",
                **aria(label="What the chart compares"),
            ),
            html.P(id="market-figure-title", className="m-0 small text-body-secondary"),
            html.Div(
                common.graph("market-figure"),
                id="market-figure-box",
                role="img",
                hidden=True,
                **aria(labelledby="market-figure-title", describedby="market-figure-text"),
            ),
            html.P(id="market-figure-text", className="small"),
        ],
        **aria(label="Deviation compared"),
    )
