// What the pages do in the browser, without asking the server.
"use strict";

(function () {
    // Longer than an interval and two reads of the API that both run into their limit.
    const SILENT_MS = 20000;

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
    function wake() {
        const {set_props} = window.dash_clientside;
        set_props("market-interval", {disabled: false});
        set_props("market-refresh", {disabled: false, children: "Refresh now"});
    }

    function watch() {
        const beat = document.getElementById("market-beat");
        if (beat && beat.textContent !== heard) {
            heard = beat.textContent;
            heardAt = Date.now();
        }
        const silent = Boolean(beat) && Date.now() - heardAt > SILENT_MS;
        document.body.classList.toggle("koinx-silent", silent);
        if (silent) wake();
    }

    setInterval(watch, 1000);

    document.addEventListener("visibilitychange", () => {
        if (document.hidden || !document.getElementById("market-beat")) return;
        watch();
        window.dash_clientside.set_props("market-tick", {data: Date.now()});
    });
})();
