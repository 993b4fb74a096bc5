"""Sessions for what is asked of the world outside."""

import requests
from requests.auth import HTTPBasicAuth
from requests.utils import get_auth_from_url


def session() -> requests.Session:
    """One that takes proxies and authorities from the environment, but no password.

    By itself `requests` sends what `~/.netrc` has for a host, or for any of them.
    """
    made = requests.Session()
    made.auth = _of_the_address_alone
    return made


def _of_the_address_alone(request: requests.PreparedRequest) -> requests.PreparedRequest:
    user, password = get_auth_from_url(request.url or "")
    return HTTPBasicAuth(user, password)(request) if user or password else request
