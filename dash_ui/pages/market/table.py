"""The Market page's table of coins."""

from typing import Any

import dash_ag_grid as dag
import dash_bootstrap_components as dbc
from dash import html

from api_client.client import Coin
from dash_ui.components import format as fmt
from dash_ui.components import sparkline
from dash_ui.components.elements import GRID_OPTIONS, HEADER_PX, ROW_PX, aria
from dash_ui.pages.market import text

EDGE_PX = 4
NO_MATCH = "No matching coins"


def _column(name: str, field: str, label: str, title: str, **more: Any) -> dict[str, Any]:
    """A column sorted by `field`, which shows `label`, and `title` on hover."""
    return {
        "headerName": name,
        "field": field,
        "valueFormatter": {"function": f"params.data.{label}"},
        "tooltipField": title,
        "comparator": {"function": "missingLast"},
        # Search looks at names only: "12" must not find every price with a 12 in it.
        "getQuickFilterText": {"function": "''"},
        **more,
    }


RIGHT = {"type": "rightAligned", "flex": 1}
COLUMNS = [
    _column("#", "rank", "rank_text", "rank_text", type="rightAligned", width=44, minWidth=44),
    {
        "headerName": "Coin",
        "field": "name",
        "flex": 2,
        "minWidth": 100,
        "cellRenderer": "CoinName",
        "tooltipField": "title",
        "getQuickFilterText": {
            "function": "params.data.name + ' ' + params.data.symbol + ' ' + params.data.id"
        },
    },
    _column("Price", "price", "price_text", "price_exact", minWidth=116, **RIGHT),
    _column(
        "24 h",
        "change",
        "change_text",
        "change_exact",
        minWidth=106,
        cellClassRules={
            "koinx-up": f"params.value >= {fmt.ZERO_CHANGE}",
            "koinx-down": f"params.value <= -{fmt.ZERO_CHANGE}",
        },
        **RIGHT,
    ),
    _column(
        "7 days",
        "week_change",
        "week_text",
        "week_text",
        minWidth=110,
        width=110,
        cellRenderer="Week",
    ),
    _column("Market cap", "cap", "cap_text", "cap_exact", minWidth=108, **RIGHT),
    _column(
        "Deviation",
        "share",
        "share_text",
        "deviation_exact",
        minWidth=190,
        cellRenderer="Deviation",
        headerTooltip="Standard deviation of the newest recorded prices, as a share of the price",
        **RIGHT,
    ),
    _column(
        "Freshness",
        "age",
        "freshness",
        "recorded",
        flex=1,
        minWidth=128,
        cellRenderer="Freshness",
        headerTooltip="Age of the newest stored quote",
    ),
]


def panel() -> html.Section:
    """The table, empty, with its heading and its search field."""
    return html.Section(
        [
            html.Div(
                [
                    html.H2("Coins", className="h5 m-0"),
                    html.Span(id="market-count", className="koinx-when-known text-body-secondary"),
                    html.Label(["Search ", html.Kbd("/")], htmlFor="market-search"),
                    dbc.Input(
                        id="market-search",
                        type="search",
                        placeholder="name or symbol",
                        autocomplete="off",
                        size="sm",
                    ),
                ],
                className="koinx-tools",
            ),
            dag.AgGrid(
                id="market-grid",
                columnDefs=COLUMNS,
                defaultColDef={"sortable": True, "resizable": False, "suppressMovable": True},
                rowData=[],
                getRowId="params.data.id",
                dashGridOptions={
                    **GRID_OPTIONS,
                    "enableBrowserTooltips": True,
                    "quickFilterText": "",
                    "localeText": dict.fromkeys(("noRowsToShow", "noMatchingRows"), NO_MATCH),
                },
            ),
        ],
        **aria(label="Coins"),
    )


def style(rows: int) -> dict[str, str]:
    """The table's height for a number of rows."""
    return {"height": f"min({rows * ROW_PX + HEADER_PX + EDGE_PX}px, 72vh)"}


def row(coin: Coin, currency: str) -> dict[str, Any]:
    """A coin's row: numbers to sort by, and texts to show."""
    share = fmt.share_of(coin.deviation, coin.price)
    return {
        "id": coin.id,
        "name": coin.name,
        "symbol": coin.symbol.upper(),
        "note": "" if coin.state == "active" else coin.state,
        "title": f"{coin.name}, {coin.symbol.upper()}{text.fate(coin)}",
        "rank": coin.rank,
        "rank_text": fmt.MISSING if coin.rank is None else str(coin.rank),
        "price": coin.price,
        "price_text": fmt.price(coin.price, currency),
        "price_exact": fmt.exact(coin.price, currency),
        "change": coin.change_24h,
        "change_text": fmt.change(coin.change_24h),
        "change_exact": fmt.MISSING if coin.change_24h is None else f"{coin.change_24h} %",
        "week": sparkline.encode(coin.week),
        "week_change": sparkline.change(coin.week),
        "week_text": sparkline.describe(coin.week, currency),
        "cap": coin.market_cap,
        "cap_text": fmt.big(coin.market_cap, currency),
        "cap_exact": fmt.exact(coin.market_cap, currency),
        "share": share,
        "share_text": fmt.share(share),
        "evidence": fmt.evidence(coin.deviation_count),
        "deviation_exact": fmt.exact(coin.deviation, currency),
        "age": coin.age_seconds,
        "freshness": fmt.FRESHNESS.get(coin.freshness, coin.freshness),
        "age_text": "" if coin.age_seconds is None else fmt.age(coin.age_seconds),
        "recorded": f"as of {fmt.moment(coin.as_of)}, stored {fmt.moment(coin.recorded_at)}",
    }
