"""Checks the processes of this home, and the last update."""

from api_client.client import ApiError
from cli import context
from cli.doctor.finding import Finding, problem
from settings import Settings
from supervisor import process_plan
from supervisor.control import Overview, Processes
from supervisor.embedded.servers import EMBEDDED

ENDED_BADLY = ("failed", "missed")


def states(processes: Processes, overview: Overview, settings: Settings) -> list[Finding]:
    """Returns a fault for each process that should run and is not ready, except the servers."""
    found = []
    wanted = [name for name in process_plan.names(settings) if name not in EMBEDDED]
    for name in wanted:
        process = overview.get(name)
        state = process["state"] if process else "not started"
        if process is None or process["pid"] is None:
            cure = f"./koinx start {name}; see ./koinx logs {name}"
            found.append(problem(name, f"is {state}", cure))
        elif not process["ready"] and processes.supervised():
            found.append(problem(name, f"is {state}, not ready", f"see ./koinx logs {name}"))
    if not processes.supervised():
        text = "no supervisor is running, so nothing is restarted"
        found.append(problem("processes", text, "run ./koinx up"))
    return found or [Finding("processes", "ok", f"{', '.join(wanted)} are ready")]


def last_update(settings: Settings) -> list[Finding]:
    """Checks how the newest update ended."""
    try:
        update = context.api(settings).last_update()
    except ApiError as error:
        return [problem("updates", error.message, error.next_step)]
    if update is None:
        return [Finding("updates", "note", "none yet: the next one starts on schedule")]
    outcome = {"done": "succeeded"}.get(update.state, update.state)
    text = f"the newest update, {update.id}: {outcome}"
    if update.state in ENDED_BADLY:
        cure = f"./koinx trace {update.id}"
        return [problem("updates", f"{text}, {update.error or 'no reason given'}", cure)]
    return [Finding("updates", "ok", text)]
