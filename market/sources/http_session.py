"""Sessions for addresses that others configure: mostly of the world outside."""

from ipaddress import ip_address
from urllib.parse import urlsplit

import requests
from requests.auth import HTTPBasicAuth
from requests.utils import get_auth_from_url


def session(url: str) -> requests.Session:
    """One for `url`: takes proxies and authorities from the environment, but no password.

    By itself `requests` sends what `~/.netrc` has for a host, or for any of them.
    """
    made = requests.Session()
    made.auth = _of_the_address_alone
    # A proxy of the environment must not stand between us and what is on this machine.
    made.trust_env = not _is_on_this_machine(urlsplit(url).hostname or "")
    return made


def _is_on_this_machine(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _of_the_address_alone(request: requests.PreparedRequest) -> requests.PreparedRequest:
    user, password = get_auth_from_url(request.url or "")
    return HTTPBasicAuth(user, password)(request) if user or password else request
