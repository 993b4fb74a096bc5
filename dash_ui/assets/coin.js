// The Coin page: its URL, the field for another coin, and copying curl commands.
"use strict";

(function () {
    const page = (coin) => `/coin/${encodeURIComponent(coin)}`;

    // Longer than any answer takes; after this, stop waiting for it.
    const WAIT_MS = 15000;
    let lastAsked = {beat: "", at: 0};

    window.dash_clientside = window.dash_clientside || {};
    window.dash_clientside.coin = {
        // Pass a tick on only while the page is visible and the last tick was answered, which
        // changes the beat.
        tick(passed, beat) {
            const {no_update} = window.dash_clientside;
            const waits = beat === lastAsked.beat && Date.now() - lastAsked.at < WAIT_MS;
            if (document.hidden || (passed && waits)) return no_update;
            lastAsked = {beat, at: Date.now()};
            return lastAsked.at;
        },
        // Keep the URL a link to this view. Dash must not notice: it would rebuild the page.
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
            // Navigates as Dash's own links do.
            history.pushState({}, "", page(coin.trim()));
            window.dispatchEvent(new Event("_dashprivate_pushstate"));
        },
    };

    // Outside localhost and HTTPS, browsers do not let a page write to the clipboard.
    async function copy(button) {
        const source = document.getElementById(button.getAttribute("aria-controls"));
        const status = button.parentElement.querySelector("[role=status]");
        try {
            await navigator.clipboard.writeText(source.textContent);
            status.textContent = "Copied.";
        } catch {
            window.getSelection().selectAllChildren(source);
            status.textContent = "Selected: press Ctrl+C to copy.";
        }
    }

    document.addEventListener("click", (event) => {
        const button = event.target.closest(".koinx-copy");
        if (button) copy(button);
    });
})();
