// The Coin page's address, its way to another coin, and copying a request.
"use strict";

(function () {
    const page = (coin) => `/coin/${encodeURIComponent(coin)}`;

    // Longer than an answer may take; then it is not waited for any more.
    const WAIT_MS = 15000;
    let asked = {beat: "", at: 0};

    window.dash_clientside = window.dash_clientside || {};
    window.dash_clientside.coin = {
        // Passed on only while somebody can see the page, and once the tick before was answered:
        // the answer changes the beat.
        tick(passed, beat) {
            const {no_update} = window.dash_clientside;
            const waits = beat === asked.beat && Date.now() - asked.at < WAIT_MS;
            if (document.hidden || (passed && waits)) return no_update;
            asked = {beat, at: Date.now()};
            return asked.at;
        },
        // A link to what is seen shows the same. Dash is not told: it would build the page anew.
        address(coin, range, kind, scale, include, statistics) {
            if (!coin || !window.location.pathname.startsWith("/coin")) return;
            const query = new URLSearchParams({range, kind, scale, include, statistics});
            const address = `${page(coin)}?${query}`;
            if (window.location.pathname + window.location.search !== address) {
                history.replaceState(history.state, "", address);
            }
        },
        go(coin) {
            if (!coin) return;
            // As Dash's own links do.
            history.pushState({}, "", page(coin.trim()));
            window.dispatchEvent(new Event("_dashprivate_pushstate"));
        },
    };

    // Outside of localhost and HTTPS the browser lets no page write to the clipboard.
    async function copy(button) {
        const source = document.getElementById(button.getAttribute("aria-controls"));
        const said = button.parentElement.querySelector("[role=status]");
        try {
            await navigator.clipboard.writeText(source.textContent);
            said.textContent = "Copied.";
        } catch {
            window.getSelection().selectAllChildren(source);
            said.textContent = "Selected: press Ctrl+C to copy.";
        }
    }

    document.addEventListener("click", (event) => {
        const button = event.target.closest(".koinx-copy");
        if (button) copy(button);
    });
})();
