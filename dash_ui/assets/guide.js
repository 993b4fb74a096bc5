// The Docs page: goes to the anchor that the address names.
"use strict";

window.dash_clientside = window.dash_clientside || {};
window.dash_clientside.guide = {
    // The browser looked for it before there was a text.
    scroll() {
        const name = decodeURIComponent(window.location.hash.slice(1));
        requestAnimationFrame(() => {
            const place = name && document.getElementById(name);
            if (place) place.scrollIntoView();
        });
        return window.dash_clientside.no_update;
    },
};
