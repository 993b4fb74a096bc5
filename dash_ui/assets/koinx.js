// Browser-side behaviour that all pages share.
"use strict";

(function () {
    // How long the dashboard's server may be silent: longer than an interval and all of its reads up
    // to their limits. After that, undo what Dash set while a callback runs.
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
    const BEAT_SELECTOR = Object.keys(PAGES).map((id) => `#${id}`).join();

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

    // The server changes the beat with every answer, even with an error. If it stops changing, only
    // this script can tell the reader that the data is getting old.
    let lastBeat = "";
    let lastBeatAt = Date.now();

    // Dash does not undo `running` changes if the server never answers the callback.
    function wake({intervals, buttons}) {
        const {set_props} = window.dash_clientside;
        for (const id of intervals) set_props(id, {disabled: false});
        const readOnly = Boolean(document.querySelector(".koinx-read-only"));
        for (const [id, children] of Object.entries(buttons)) {
            set_props(id, {disabled: readOnly, children});
        }
    }

    function watch() {
        const beat = document.querySelector(BEAT_SELECTOR);
        if (beat && beat.textContent !== lastBeat) {
            lastBeat = beat.textContent;
            lastBeatAt = Date.now();
        }
        const page = beat && PAGES[beat.id];
        const silent = Boolean(page) && Date.now() - lastBeatAt > page.silentMs;
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
