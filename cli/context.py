"""Where what runs can be reached: the settings in force, with the addresses of all servers."""

import settings as project
from api_client.client import Client
from settings import Settings
from supervisor.control import Processes
from supervisor.process_plan import local_url

SECONDS = 5.0  # that an answer of the API may take


def in_force(processes: Processes) -> Settings:
    """What the processes of this home run with; without any, what the environment and `.env` say.

    What was changed since they were started is not among it.
    """
    if any(process["pid"] for process in processes.overview().processes):
        home = {"KOINX_HOME": str(processes.state_dir.home), "KOINX_ENV_FILE": ""}
        return project.load(home)
    return project.load()


def api(settings: Settings) -> Client:
    """The API that belongs to these settings, with its key."""
    url = settings.dash_api_url or local_url(settings.api_host, settings.api_port)
    key = settings.api_key.get_secret_value() if settings.api_key else None
    return Client(url, timeout=SECONDS, api_key=key)
