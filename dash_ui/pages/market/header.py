"""The Market page's head: of when its numbers are, with the button for newer ones."""

import dash_bootstrap_components as dbc
from dash import html

from dash_ui.auth import read_only


def panel() -> html.Div:
    """The head, without its texts."""
    refused = read_only.refusal()
    return html.Div(
        [
            html.Div(
                [
                    html.Div(
                        [
                            html.H1("Market", className="h3 m-0"),
                            html.Span(id="market-simulated", className="koinx-badge", hidden=True),
                        ],
                        className="d-flex flex-wrap align-items-center gap-2",
                    ),
                    html.P(
                        [
                            html.Span(id="market-as-of"),
                            html.Span(id="market-age", className="koinx-when-known"),
                        ],
                        className="m-0",
                    ),
                    html.P(id="market-update", className="m-0 text-body-secondary"),
                    html.P(
                        html.A("Data provided by CoinGecko", href="https://www.coingecko.com"),
                        id="market-source",
                        className="m-0",
                        hidden=True,
                    ),
                ],
                className="koinx-status",
            ),
            html.Div(
                [
                    dbc.Button(
                        "Refresh now",
                        id="market-refresh",
                        color="primary",
                        disabled=refused is not None,
                    ),
                    html.P(
                        refused, id="market-refreshed-text", className="m-0 small", role="status"
                    ),
                ],
                className="koinx-refresh",
            ),
        ],
        className="koinx-head",
    )
