"""The Coin page's statistics, with what they rest on."""

from typing import Any

import dash_bootstrap_components as dbc
from dash import Output, html, no_update

from api_client.coin_history import Statistics
from dash_ui.components import format as fmt
from dash_ui.components.elements import aria, curl_snippet
from dash_ui.pages.coin import text as words

MONEY = {
    "mean": "Mean",
    "median": "Median",
    "min": "Lowest",
    "max": "Highest",
    "deviation": "Standard deviation (population)",
    "sample_deviation": "Standard deviation (sample)",
    "mad": "Median absolute deviation, scaled",
}
SHARES = {
    "coefficient_of_variation": "Deviation as a share of the mean",
    "volatility_period": "Volatility a period",
    "volatility_year": "Volatility a year",
    "drawdown": "Greatest drawdown",
}
INTERVAL = "deviation_interval"
EVIDENCE = {
    "count": "Records used",
    "expected": "Expected by the schedule",
    "gaps": "Gaps among them",
    "repaired": "Repaired among the used",
    "oldest": "Oldest",
    "newest": "Newest",
    "age": "Age of the newest",
    "source": "Source",
}
NAMES = {**MONEY, INTERVAL: "Interval of the deviation", **SHARES}
OUTPUTS = {
    "about": Output("coin-statistics-about", "children"),
    "method": Output("coin-statistics-method", "children"),
    "curl": Output("coin-statistics-curl", "children"),
    "values": {name: Output(f"coin-value-{name}", "children") for name in NAMES},
    "titles": {name: Output(f"coin-value-{name}", "title") for name in NAMES},
    "evidence": {name: Output(f"coin-evidence-{name}", "children") for name in EVIDENCE},
}


def panel(include: str) -> html.Section:
    """The statistics, empty, with the switch for what they rest on."""
    return html.Section(
        [
            html.Div(
                [
                    html.H2("Statistics", className="h5 m-0"),
                    html.Div(
                        dbc.RadioItems(
                            id="coin-statistics-include",
                            # One group, in which arrows choose.
                            name="coin-statistics-include",
                            options=[
                                {"label": "Recorded", "value": "recorded"},
                                {"label": "With repaired", "value": "repaired"},
                            ],
                            value=include,
                            inline=True,
                            class_name="small",
                        ),
                        role="group",
                        **aria(label="What the statistics rest on"),
                    ),
                ],
                className="koinx-controls",
            ),
            html.P(id="coin-statistics-about", className="small"),
            _table("value", NAMES, "Measures"),
            html.P(id="coin-statistics-method", className="small text-body-secondary"),
            html.H3("What they rest on", className="h6"),
            _table("evidence", EVIDENCE, "What the statistics rest on"),
            curl_snippet("coin-statistics-curl", "the statistics"),
        ],
        **aria(label="Statistics"),
    )


def _table(kind: str, names: dict[str, str], label: str) -> html.Table:
    rows = [
        html.Tr([html.Th(name, scope="row"), html.Td(id=f"coin-{kind}-{key}")])
        for key, name in names.items()
    ]
    return html.Table(html.Tbody(rows), className="table table-sm koinx-facts", **aria(label=label))


def shown(found: Statistics, include: str, currency: str, curl: str) -> dict[str, Any]:
    """What the panel says of `found`."""
    values = {name: fmt.price(found.measures[name], currency) for name in MONEY}
    titles = {name: fmt.exact(found.measures[name], currency) for name in MONEY}
    for name in SHARES:
        share = found.measures[name]
        values[name] = fmt.share(fmt.share_of(share, 1))
        titles[name] = fmt.MISSING if share is None else str(share)
    if found.interval is None:
        values[INTERVAL] = titles[INTERVAL] = fmt.MISSING
    else:
        ends = (found.interval["low"], found.interval["high"])
        values[INTERVAL] = " to ".join(fmt.price(end, currency) for end in ends)
        titles[INTERVAL] = " to ".join(fmt.exact(end, currency) for end in ends)
    # Why a number is missing stands where the number would.
    for name, why in found.notes.items():
        if values.get(name) == fmt.MISSING:
            values[name] = f"{fmt.MISSING}: {why}"
    return {
        "about": words.rests_on(found, include),
        "method": words.method(found),
        "curl": curl,
        "values": values,
        "titles": titles,
        "evidence": words.evidence(found) | {"age": fmt.age(found.age_seconds)},
    }


def unchanged(age_seconds: float | None = None) -> dict[str, Any]:
    """All as it was, but for the newest record's age if that is known."""
    same: dict[str, Any] = dict.fromkeys(("about", "method", "curl"), no_update)
    same |= {kind: dict.fromkeys(NAMES, no_update) for kind in ("values", "titles")}
    age = no_update if age_seconds is None else fmt.age(age_seconds)
    return same | {"evidence": {**dict.fromkeys(EVIDENCE, no_update), "age": age}}
