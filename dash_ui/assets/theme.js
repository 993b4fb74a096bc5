// Sets the theme before the first paint: the reader's choice, or the system's.
"use strict";

window.koinxTheme = (function () {
    const system = window.matchMedia("(prefers-color-scheme: dark)");
    const KEY = "koinx-theme";

    function apply() {
        const choice = localStorage.getItem(KEY);
        const dark = choice === "dark" || (choice !== "light" && system.matches);
        document.documentElement.dataset.bsTheme = dark ? "dark" : "light";
        document.documentElement.dataset.agThemeMode = dark ? "dark" : "light";
    }

    system.addEventListener("change", apply);
    apply();

    return {
        choose(choice) {
            localStorage.setItem(KEY, choice);
            apply();
        },
    };
})();
