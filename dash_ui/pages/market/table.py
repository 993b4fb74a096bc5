"""The Market page's table, a row a coin."""

from typing import Any

import dash_ag_grid as dag
import dash_bootstrap_components as dbc
from dash import html

from api_client.client import Coin
from dash_ui.components import format as fmt
from dash_ui.components import sparkline
from dash_ui.components.elements import aria
from dash_ui.pages.market import text as words

ROW_PX, HEADER_PX, EDGE_PX = 42, 44, 4
NO_MATCH = "No coin has such a name."


def _column(name: str, field: str, text: str, title: str, **more: Any) -> dict[str, Any]:
    """A column sorted by `field`, which reads as `text` and says `title` on hover."""
    return {
        "headerName": name,
        "field": field,
        "valueFormatter": {"function": f"params.data.{text}"},
        "tooltipField": title,
        "comparator": {"function": "missingLast"},
        # The search is for names: "12" shall not find every price with a 12 in it.
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
        cellClassRules={"koinx-up": "params.value > 0", "koinx-down": "params.value < 0"},
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
        headerTooltip="Standard deviation of the newest records, as a share of the price",
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
        headerTooltip="How old the newest stored quote is",
    ),
]
THEME = (
    "themeQuartz.withParams({backgroundColor: 'var(--bs-body-bg)', "
    "foregroundColor: 'var(--bs-body-color)', borderColor: 'var(--bs-border-color)', "
    "headerBackgroundColor: 'var(--bs-tertiary-bg)', chromeBackgroundColor: "
    "'var(--bs-tertiary-bg)', accentColor: 'var(--koinx-accent)', fontFamily: 'inherit', "
    "fontSize: 14, wrapperBorderRadius: 8, cellHorizontalPadding: 7, "
    f"rowHeight: {ROW_PX}, headerHeight: {HEADER_PX}" + "})"
)
# Arrows go from cell to cell; Tab goes on behind the table, rather than through all of them.
BY_KEYBOARD = {"tabToNextCell": {"function": "leaveTable()"}}


def panel() -> html.Section:
    """The table, empty, with its heading and its search."""
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
                    "theme": {"function": THEME},
                    "enableBrowserTooltips": True,
                    "quickFilterText": "",
                    "animateRows": False,
                    **BY_KEYBOARD,
                    "localeText": dict.fromkeys(("noRowsToShow", "noMatchingRows"), NO_MATCH),
                },
            ),
        ],
        **aria(label="Coins"),
    )


def style(rows: int) -> dict[str, str]:
    """The table's height for this many rows."""
    return {"height": f"min({rows * ROW_PX + HEADER_PX + EDGE_PX}px, 72vh)"}


def row(coin: Coin, currency: str) -> dict[str, Any]:
    """A row of the table: the numbers to sort by, beside the texts to read."""
    share = fmt.share_of(coin.deviation, coin.price)
    return {
        "id": coin.id,
        "name": coin.name,
        "symbol": coin.symbol.upper(),
        "note": "" if coin.state == "active" else coin.state,
        "title": f"{coin.name}, {coin.symbol.upper()}{words.fate(coin)}",
        "rank": coin.rank,
        "rank_text": fmt.MISSING if coin.rank is None else str(coin.rank),
        "price": coin.price,
        "price_text": fmt.price(coin.price, currency),
        "price_exact": fmt.exact(coin.price, currency),
        "change": coin.change_24h,
        "change_text": fmt.change(coin.change_24h),
        "change_exact": fmt.MISSING if coin.change_24h is None else f"{coin.change_24h} %",
        "week": sparkline.heights(coin.week),
        "week_change": sparkline.change(coin.week),
        "week_text": sparkline.told(coin.week, currency),
        "cap": coin.market_cap,
        "cap_text": fmt.big(coin.market_cap, currency),
        "cap_exact": fmt.exact(coin.market_cap, currency),
        "share": share,
        "share_text": fmt.share(share),
        "evidence": fmt.evidence(coin.deviation_count),
        "deviation_exact": fmt.exact(coin.deviation, currency),
        "age": coin.age_seconds,
        "freshness": words.MARKS.get(coin.freshness, coin.freshness),
        "age_text": "" if coin.age_seconds is None else fmt.age(coin.age_seconds),
        "recorded": f"as of {fmt.moment(coin.as_of)}, stored {fmt.moment(coin.recorded_at)}",
    }
