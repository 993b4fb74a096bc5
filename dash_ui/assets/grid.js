// Cell renderers and the sort order of the Market table.
"use strict";

(function () {
    const functions = (window.dashAgGridFunctions = window.dashAgGridFunctions || {});
    const cells = (window.dashAgGridComponentFunctions =
        window.dashAgGridComponentFunctions || {});
    const element = (...parts) => window.React.createElement(...parts);
    const span = (className, text) => element("span", {className}, text);

    // Missing values sort last in both orders; the grid negates the result for descending order.
    functions.missingLast = (one, other, _row, _otherRow, descending) => {
        const missing = (value) => value === null || value === undefined;
        if (missing(one) || missing(other)) {
            const order = Number(missing(one)) - Number(missing(other));
            return descending ? -order : order;
        }
        return one - other;
    };

    // Leaves the Tab key to the browser.
    functions.leaveTable = () => false;

    cells.CoinName = ({data}) =>
        element(
            "span",
            {className: "koinx-coin"},
            element(
                "a",
                {className: "koinx-coin-name", href: `/coin/${encodeURIComponent(data.id)}`},
                data.name,
            ),
            span("koinx-minor", data.symbol),
            data.note ? span("koinx-note", data.note) : null,
        );

    cells.Deviation = ({data}) =>
        element(
            "span",
            null,
            data.share_text,
            data.share === null ? null : span("koinx-minor", data.evidence),
        );

    // Each character of data.week is a height in base 36; a dot is a gap that breaks the line.
    cells.Week = ({data}) => {
        const last = Math.max(1, data.week.length - 1);
        let path = "";
        let pen = "M";
        [...data.week].forEach((level, number) => {
            if (level === ".") {
                pen = "M";
                return;
            }
            const x = ((number / last) * 94 + 1).toFixed(1);
            path += `${pen}${x} ${(23 - (parseInt(level, 36) / 35) * 22).toFixed(1)}`;
            // A line of zero length draws a dot, so that a single price is visible too.
            if (pen === "M") path += "h0";
            pen = "L";
        });
        return element(
            "svg",
            {
                className: "koinx-week",
                viewBox: "0 0 96 24",
                width: 96,
                height: 24,
                role: "img",
                "aria-label": data.week_text,
            },
            element("path", {d: path, fill: "none", stroke: "currentColor", strokeWidth: 2, strokeLinecap: "round"}),
        );
    };

    // The keyboard moves between cells, not to the links in them: Enter opens a row's link.
    document.addEventListener("keydown", (event) => {
        const row = event.key === "Enter" && event.target.closest(".ag-cell")?.parentElement;
        const link = row && row.querySelector("a[href]");
        if (link) link.click();
    });

    // The second text replaces the first while the data may be old.
    cells.Freshness = ({data}) =>
        element(
            "span",
            null,
            span("koinx-when-known", [data.freshness, data.age_text].filter(Boolean).join(" · ")),
            span("koinx-when-unknown", "? unknown"),
        );
})();
