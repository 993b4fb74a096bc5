"""Make the embedded mongod the only member of its replica set."""

import socket
from contextlib import closing
from typing import Any
from urllib.parse import urlsplit

NAME = "koinx"
INVALID_CONFIGURATION = 93  # this server's address is not among the members
NOT_YET_INITIATED = 94


def is_primary(url: str) -> bool:
    """Whether the server takes writes; makes or mends its configuration where that is why not."""
    address = urlsplit(url)
    host, port = address.hostname or "", address.port or 0
    # The driver looks every half second; a refused connection says at once that it is too early.
    socket.create_connection((host, port), timeout=1).close()
    from pymongo import MongoClient  # noqa: PLC0415 - takes long, and `status` needs it not
    from pymongo.errors import OperationFailure  # noqa: PLC0415

    client: MongoClient[dict[str, Any]] = MongoClient(
        host,
        port,
        directConnection=True,
        serverSelectionTimeoutMS=1000,
        connectTimeoutMS=1000,
        socketTimeoutMS=2000,
    )
    with closing(client):
        hello = client.admin.command("hello")
        if hello.get("isWritablePrimary"):
            return True
        try:
            client.admin.command("replSetGetStatus")
        except OperationFailure as error:
            member = {"_id": 0, "host": f"{host}:{port}"}
            if error.code == NOT_YET_INITIATED:
                configuration: dict[str, Any] = {"_id": NAME, "members": [member]}
                client.admin.command("replSetInitiate", configuration)
            elif error.code == INVALID_CONFIGURATION:
                stored = client.get_database("local").get_collection("system.replset").find_one()
                configuration = {**(stored or {}), "members": [member]}
                configuration["version"] = configuration.get("version", 0) + 1
                client.admin.command("replSetReconfig", configuration, force=True)
        return False
