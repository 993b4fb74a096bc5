"""Make the embedded mongod the only member of its replica set, with the one user that it has."""

import socket
from contextlib import closing, suppress
from typing import Any
from urllib.parse import SplitResult, urlsplit

NAME = "koinx"
BY_KEY = "__system"  # who has the key of a replica set may do all
INVALID_CONFIGURATION = 93  # this server's address is not among the members
NOT_YET_INITIATED = 94
KNOWN_ALREADY = 51003


def is_primary(url: str) -> bool:
    """Whether the server takes writes from the user of `url`; mends what keeps it from that.

    The password of `url` is the key of the replica set as well.
    """
    address = urlsplit(url)
    # The driver looks every half second; a refused connection says at once that it is too early.
    socket.create_connection((address.hostname or "", address.port or 0), timeout=1).close()
    from pymongo.errors import OperationFailure  # noqa: PLC0415 - takes long, `status` needs it not

    with closing(_client(address, address.username, "admin")) as client, suppress(OperationFailure):
        if client.admin.command("hello").get("isWritablePrimary"):
            return True
    with closing(_client(address, BY_KEY, "local")) as client:
        _mend(client, address)
    return False


def _client(address: SplitResult, user: str | None, source: str) -> Any:
    from pymongo import MongoClient  # noqa: PLC0415

    return MongoClient(
        address.hostname or "",
        address.port or 0,
        username=user,
        password=address.password,
        authSource=source,
        directConnection=True,
        serverSelectionTimeoutMS=1000,
        connectTimeoutMS=1000,
        socketTimeoutMS=2000,
    )


def _mend(client: Any, address: SplitResult) -> None:
    """Give the server a configuration with its present address; a primary its user."""
    from pymongo.errors import OperationFailure  # noqa: PLC0415

    if client.admin.command("hello").get("isWritablePrimary"):
        user = {"pwd": address.password, "roles": ["root"]}
        try:
            client.admin.command("createUser", address.username, **user)
        except OperationFailure as error:
            if error.code != KNOWN_ALREADY:
                raise
            client.admin.command("updateUser", address.username, **user)
        return
    try:
        client.admin.command("replSetGetStatus")
    except OperationFailure as error:
        member = {"_id": 0, "host": f"{address.hostname}:{address.port}"}
        if error.code == NOT_YET_INITIATED:
            configuration: dict[str, Any] = {"_id": NAME, "members": [member]}
            client.admin.command("replSetInitiate", configuration)
        elif error.code == INVALID_CONFIGURATION:
            stored = client.get_database("local").get_collection("system.replset").find_one()
            configuration = {**(stored or {}), "members": [member]}
            configuration["version"] = configuration.get("version", 0) + 1
            client.admin.command("replSetReconfig", configuration, force=True)
