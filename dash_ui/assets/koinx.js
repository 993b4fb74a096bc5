// What the pages do in the browser, without asking the server.
"use strict";

(function () {
    // How long a page's server may be silent: longer than an interval and all that it reads, up to
    // each limit. Then what Dash set for a callback's run is set back.
    const PAGES = {
        "market-beat": {
            silentMs: 20000,
            intervals: ["market-interval"],
            buttons: {"market-refresh": "Refresh now"},
        },
        "coin-beat": {
            silentMs: 30000,
            intervals: [],
            buttons: {},
        },
        "servers-beat": {
            silentMs: 5000,
            intervals: ["servers-interval", "servers-output-interval", "servers-work-interval"],
            buttons: {"servers-update": "Update now"},
        },
    };
    const BEATS = Object.keys(PAGES).map((id) => `#${id}`).join();

    window.dash_clientside = window.dash_clientside || {};
    window.dash_clientside.koinx = {
        theme(choice) {
            window.koinxTheme.choose(choice);
        },
        tick() {
            return document.hidden ? window.dash_clientside.no_update : Date.now();
        },
        search(text, options) {
            return {...options, quickFilterText: text || ""};
        },
    };

    document.addEventListener("keydown", (event) => {
        const search = document.querySelector("input[type=search]");
        const typing = event.target.closest("input, textarea, select, [contenteditable]");
        if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || typing) return;
        if (!search) return;
        event.preventDefault();
        search.focus();
    });

    // The server writes a new text here with each answer, also when it has only bad news. When
    // none comes, nobody else can say that the numbers have grown old.
    let heard = "";
    let heardAt = Date.now();

    // Dash does not undo what it set for a callback's run if the server never answered it.
    function wake({intervals, buttons}) {
        const {set_props} = window.dash_clientside;
        for (const id of intervals) set_props(id, {disabled: false});
        const readOnly = Boolean(document.querySelector(".koinx-read-only"));
        for (const [id, children] of Object.entries(buttons)) {
            set_props(id, {disabled: readOnly, children});
        }
    }

    function watch() {
        const beat = document.querySelector(BEATS);
        if (beat && beat.textContent !== heard) {
            heard = beat.textContent;
            heardAt = Date.now();
        }
        const page = beat && PAGES[beat.id];
        const silent = Boolean(page) && Date.now() - heardAt > page.silentMs;
        document.body.classList.toggle("koinx-silent", silent);
        if (silent) wake(page);
    }

    setInterval(watch, 1000);

    document.addEventListener("visibilitychange", () => {
        const beat = document.querySelector("#market-beat, #coin-beat");
        if (document.hidden || !beat) return;
        watch();
        window.dash_clientside.set_props(beat.id.replace("-beat", "-tick"), {data: Date.now()});
    });
})();
