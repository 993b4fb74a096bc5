"""Starts, stops and restarts processes for the Servers page."""

from collections.abc import Callable

from logs.redaction import plain
from settings import Settings, SettingsError
from supervisor import process_plan
from supervisor.control import Processes, SupervisorError

ALL = "all"
DASHBOARD = "dashboard"
VERBS = ("start", "stop", "restart")
PROGRESS = {"start": "Starting", "stop": "Stopping", "restart": "Restarting"}
DASHBOARD_NOTES = {
    "stop": " This page stops with it; ./koinx start dashboard brings it back.",
    "restart": " This page reconnects automatically.",
}
ALL_NOTES = {
    "stop": " The dashboard keeps running; ./koinx down stops it too.",
    "restart": " The dashboard keeps running.",
}


def handle_action(processes: Processes, verb: str, name: str) -> str:
    """Request one of VERBS for a process or ALL; returns a message about it, also on failure.

    Stopping or restarting ALL spares the dashboard, which can then start the others again.
    """
    try:
        settings = processes.settings()
        if settings is None:
            return "Nothing is running here: start KoinX with ./koinx up."
        return _request(processes, settings, verb, name)
    except (OSError, SupervisorError, SettingsError) as error:
        return f"Cannot {verb} {name}: {plain(error)}"


def _request(processes: Processes, settings: Settings, verb: str, name: str) -> str:
    names = process_plan.names(settings)
    if verb not in VERBS or name not in (ALL, *names):
        known = f"{', '.join(VERBS)}; {', '.join((ALL, *names))}"
        return f"Unknown action {verb} {name}: use one of {known}."
    actions: dict[str, Callable[[str], int]] = {
        "start": lambda one: processes.start(one, settings),
        "stop": processes.stop,
        "restart": lambda one: processes.restart(one, settings),
    }
    notes = DASHBOARD_NOTES if name == DASHBOARD else ALL_NOTES if name == ALL else {}
    if name != ALL:
        actions[verb](name)
    elif verb == "start":
        processes.start_all(settings)
    else:
        # Processes that need others go first, as on shutdown.
        for one in reversed(names):
            if one != DASHBOARD:
                actions[verb](one)
    return f"{PROGRESS[verb]} {name} …{notes.get(verb, '')}"
