"""The Coin page's statistics, with the evidence behind them."""

from typing import Any

from dash import Output, html

from api_client.coin_history import Statistics
from dash_ui.components import format as fmt
from dash_ui.components.elements import aria, curl_snippet, radio_group
from dash_ui.pages.coin import text

MONEY = {
    "mean": "Mean",
    "median": "Median",
    "min": "Lowest",
    "max": "Highest",
    "deviation": "Standard deviation (population)",
    "sample_deviation": "Standard deviation (sample)",
    "mad": "Median absolute deviation (scaled)",
}
SHARES = {
    "coefficient_of_variation": "Deviation as a share of the mean",
    "volatility_period": "Volatility (per period)",
    "volatility_year": "Volatility (annualised)",
    "drawdown": "Maximum drawdown",
}
INTERVAL = "deviation_interval"
EVIDENCE = {
    "count": "Records used",
    "repaired": "of which repaired",
    "expected": "Records expected",
    "gaps": "Gaps",
    "oldest": "Oldest",
    "newest": "Newest",
    "age": "Age of the newest",
    "source": "Source",
}
NAMES = {**MONEY, INTERVAL: "95 % interval of the deviation", **SHARES}
OUTPUTS = {
    "about": Output("coin-statistics-about", "children"),
    "method": Output("coin-statistics-method", "children"),
    "curl": Output("coin-statistics-curl", "children"),
    "values": {name: Output(f"coin-value-{name}", "children") for name in NAMES},
    "titles": {name: Output(f"coin-value-{name}", "title") for name in NAMES},
    "evidence": {name: Output(f"coin-evidence-{name}", "children") for name in EVIDENCE},
}


def panel(include: str) -> html.Section:
    """The statistics, empty, with the switch for repaired quotes."""
    return html.Section(
        [
            html.Div(
                [
                    html.H2("Statistics", className="h5 m-0"),
                    radio_group(
                        "coin-statistics-include",
                        "Statistics based on",
                        {"recorded": "Recorded", "repaired": "With repaired"},
                        include,
                    ),
                ],
                className="koinx-controls",
            ),
            html.P(id="coin-statistics-about", className="small"),
            _table("value", NAMES, "Measures"),
            html.P(id="coin-statistics-method", className="small text-body-secondary"),
            html.H3("Evidence", className="h6"),
            _table("evidence", EVIDENCE, "Evidence"),
            curl_snippet("coin-statistics-curl", "Statistics"),
        ],
        **aria(label="Statistics"),
    )


def _table(kind: str, names: dict[str, str], label: str) -> html.Table:
    rows = [
        html.Tr([html.Th(name, scope="row"), html.Td(id=f"coin-{kind}-{key}")])
        for key, name in names.items()
    ]
    return html.Table(html.Tbody(rows), className="table table-sm koinx-facts", **aria(label=label))


def render(found: Statistics, include: str, currency: str, curl: str) -> dict[str, Any]:
    """The panel with `found`."""
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
    # A note explains a missing number in the number's place.
    for name, why in found.notes.items():
        if values.get(name) == fmt.MISSING:
            values[name] = f"{fmt.MISSING}: {why}"
    return {
        "about": text.evidence_summary(found, include),
        "method": text.method(found),
        "curl": curl,
        "values": values,
        "titles": titles,
        "evidence": text.evidence(found) | {"age": fmt.age(found.age_seconds)},
    }
