// The Servers page: keeps the newest output in sight.
"use strict";

window.dash_clientside = window.dash_clientside || {};
window.dash_clientside.koinx = Object.assign(window.dash_clientside.koinx || {}, {
    toTheEnd(_text, follow, id) {
        // The text is in the document only after this returns.
        requestAnimationFrame(() => {
            const box = document.getElementById(id);
            if (box && follow) box.scrollTop = box.scrollHeight;
        });
        return window.dash_clientside.no_update;
    },
});
