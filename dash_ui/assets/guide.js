// The Docs page: scrolls to the anchor in the URL.
"use strict";

window.dash_clientside = window.dash_clientside || {};
window.dash_clientside.guide = {
    // The browser looked for the anchor before the text was there.
    scroll() {
        const name = decodeURIComponent(window.location.hash.slice(1));
        requestAnimationFrame(() => {
            const place = name && document.getElementById(name);
            if (place) place.scrollIntoView();
        });
        return window.dash_clientside.no_update;
    },
};
