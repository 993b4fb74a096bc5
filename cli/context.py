"""The settings in force, and the API client that belongs to them."""

import settings as project
from api_client.client import Client
from settings import Settings
from supervisor.control import Processes
from supervisor.process_plan import local_url

API_TIMEOUT = 5.0


def in_force(processes: Processes) -> Settings:
    """Returns the settings with which the processes of this home were started.

    If none is running, returns those of the environment and `.env`.
    """
    if any(process["pid"] for process in processes.overview().processes):
        home = {"KOINX_HOME": str(processes.state_dir.home), "KOINX_ENV_FILE": ""}
        return project.load(home)
    return project.load()


def api(settings: Settings) -> Client:
    """Returns a client for the API of these settings, with its key."""
    url = settings.dash_api_url or local_url(settings.api_host, settings.api_port)
    key = settings.api_key.get_secret_value() if settings.api_key else None
    return Client(url, timeout=API_TIMEOUT, api_key=key)
