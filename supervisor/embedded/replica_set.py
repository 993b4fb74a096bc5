"""Initiates the embedded mongod's replica set of one member, and creates its user."""

import socket
from contextlib import closing, suppress
from typing import Any
from urllib.parse import SplitResult, urlsplit

NAME = "koinx"
KEY_USER = "__system"  # the holder of a replica set's key has all rights
INVALID_CONFIGURATION = 93  # this server's address is not among the members
NOT_YET_INITIATED = 94
USER_EXISTS = 51003


def is_primary(url: str) -> bool:
    """Returns whether the server accepts writes from the user of `url`; repairs it if it does not.

    The password in `url` is also the key of the replica set.
    """
    address = urlsplit(url)
    # The driver retries every half second; a refused connection shows at once that it is too early.
    socket.create_connection((address.hostname or "", address.port or 0), timeout=1).close()
    from pymongo.errors import OperationFailure  # noqa: PLC0415 - slow, and `status` does not need it

    with closing(_client(address, address.username, "admin")) as client, suppress(OperationFailure):
        if client.admin.command("hello").get("isWritablePrimary"):
            return True
    with closing(_client(address, KEY_USER, "local")) as client:
        _repair(client, address)
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


def _repair(client: Any, address: SplitResult) -> None:
    """Configures the replica set with the server's current address; on a primary, sets the user."""
    from pymongo.errors import OperationFailure  # noqa: PLC0415

    if client.admin.command("hello").get("isWritablePrimary"):
        user = {"pwd": address.password, "roles": ["root"]}
        try:
            client.admin.command("createUser", address.username, **user)
        except OperationFailure as error:
            if error.code != USER_EXISTS:
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
