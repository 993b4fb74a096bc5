"""Start, stop and restart from the Servers page."""

from collections.abc import Callable

from logs.redaction import plain
from settings import Settings, SettingsError
from supervisor import process_plan
from supervisor.control import Processes, SupervisorError

ALL = "all"
OURSELVES = "dashboard"
VERBS = ("start", "stop", "restart")
LAST_WORDS = {
    "stop": "This page ends with it; ./koinx start dashboard brings it back.",
    "restart": "This page goes on by itself in a moment.",
}


def carry_out(processes: Processes, verb: str, name: str) -> str:
    """Wish for it, and say so; what cannot be wished for is said as well.

    `verb` is one of VERBS, `name` a process or ALL. To stop or restart ALL leaves the dashboard
    out, so that somebody is left to start the others again.
    """
    try:
        settings = processes.settings()
        if settings is None:
            return "Nothing was started from here: ./koinx up does."
        return _wish(processes, settings, verb, name)
    except (OSError, SupervisorError, SettingsError) as error:
        return f"{verb} {name}: {plain(error)}"


def _wish(processes: Processes, settings: Settings, verb: str, name: str) -> str:
    ours = process_plan.names(settings)
    if verb not in VERBS or name not in (ALL, *ours):
        return f"{verb} {name}: allowed are {', '.join(VERBS)} of {', '.join((ALL, *ours))}."
    wish: dict[str, Callable[[str], int]] = {
        "start": lambda one: processes.start(one, settings),
        "stop": processes.stop,
        "restart": lambda one: processes.restart(one, settings),
    }
    if name != ALL:
        wish[verb](name)
        own = LAST_WORDS.get(verb, "") if name == OURSELVES else ""
        return f"{verb} {name}: asked for. {own}".strip()
    if verb == "start":
        processes.start_all(settings)
        return "start all: asked for."
    # What needs the others goes first, as at the end of everything.
    for one in reversed(ours):
        if one != OURSELVES:
            wish[verb](one)
    return f"{verb} all: asked for. The dashboard itself goes on; ./koinx down ends it too."
