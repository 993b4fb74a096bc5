// The Servers page: keeps the newest log lines in view.
"use strict";

window.dash_clientside = window.dash_clientside || {};
window.dash_clientside.koinx = Object.assign(window.dash_clientside.koinx || {}, {
    toTheEnd(_text, follow, id) {
        // The document gets the text only after this function returns.
        requestAnimationFrame(() => {
            const box = document.getElementById(id);
            if (box && follow) box.scrollTop = box.scrollHeight;
        });
        return window.dash_clientside.no_update;
    },
});
