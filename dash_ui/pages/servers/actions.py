"""Starts, stops and restarts processes for the Servers page."""

from collections.abc import Callable

from logs.redaction import plain
from settings import Settings, SettingsError
from supervisor import process_plan
from supervisor.control import Processes, SupervisorError

ALL = "all"
DASHBOARD = "dashboard"
VERBS = ("start", "stop", "restart")
LAST_WORDS = {
    "stop": "This page ends with it; ./koinx start dashboard brings it back.",
    "restart": "This page goes on by itself in a moment.",
}


def handle_action(processes: Processes, verb: str, name: str) -> str:
    """Request one of VERBS for a process or ALL; returns a message about it, also on failure.

    Stopping or restarting ALL spares the dashboard, which can then start the others again.
    """
    try:
        settings = processes.settings()
        if settings is None:
            return "Nothing was started from here: ./koinx up does."
        return _request(processes, settings, verb, name)
    except (OSError, SupervisorError, SettingsError) as error:
        return f"{verb} {name}: {plain(error)}"


def _request(processes: Processes, settings: Settings, verb: str, name: str) -> str:
    names = process_plan.names(settings)
    if verb not in VERBS or name not in (ALL, *names):
        return f"{verb} {name}: allowed are {', '.join(VERBS)} of {', '.join((ALL, *names))}."
    actions: dict[str, Callable[[str], int]] = {
        "start": lambda one: processes.start(one, settings),
        "stop": processes.stop,
        "restart": lambda one: processes.restart(one, settings),
    }
    if name != ALL:
        actions[verb](name)
        own = LAST_WORDS.get(verb, "") if name == DASHBOARD else ""
        return f"{verb} {name}: asked for. {own}".strip()
    if verb == "start":
        processes.start_all(settings)
        return "start all: asked for."
    # Processes that need others go first, as on shutdown.
    for one in reversed(names):
        if one != DASHBOARD:
            actions[verb](one)
    return f"{verb} all: asked for. The dashboard itself goes on; ./koinx down ends it too."
