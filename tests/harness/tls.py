"""Servers that are reached with TLS alone, under an authority that only the tests know."""

import asyncio
import contextlib
import json
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import trustme

from bench.harness.services import free_port, server
from settings import Settings
from supervisor.embedded import servers

USER, PASSWORD = "koinx", "p%40ss%2Fword"
PLAIN_PASSWORD = "p@ss/word"


class Authority:
    """Signs the certificates of servers on this machine, or of those called `names`; `file` is
    what clients must trust."""

    def __init__(self, folder: Path, *names: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        authority = trustme.CA()
        self.file = folder / "ca.pem"
        authority.cert_pem.write_to_path(str(self.file))
        issued = authority.issue_cert(*names or ("localhost", "127.0.0.1"))
        self.key = folder / "key.pem"
        self.chain = folder / "cert.pem"
        issued.private_key_pem.write_to_path(str(self.key))
        issued.cert_chain_pems[0].write_to_path(str(self.chain))

    def context(self) -> ssl.SSLContext:
        """What a server needs."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.chain, self.key)
        return context


@contextmanager
def wrapped(port: int, authority: Authority) -> Iterator[int]:
    """A port with TLS that passes on what it gets to a plain one."""

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # A task that was cancelled is logged by asyncio, and the log would keep its socket open.
        with contextlib.suppress(asyncio.CancelledError):
            to_server, from_client = await asyncio.open_connection("127.0.0.1", port)
            try:
                await asyncio.gather(pump(reader, from_client), pump(to_server, writer))
            finally:
                for one in (writer, from_client):
                    one.transport.abort()

    chosen = free_port()
    loop = asyncio.new_event_loop()
    listening = loop.run_until_complete(
        asyncio.start_server(serve, "127.0.0.1", chosen, ssl=authority.context())
    )
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def end() -> None:
        listening.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await asyncio.sleep(0)  # in which the aborted transports close their sockets

    try:
        yield chosen
    finally:
        asyncio.run_coroutine_threadsafe(end(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


@contextmanager
def mongodb(home: Path, authority: Authority) -> Iterator[str]:
    """MongoDB's URI."""
    with server("mongodb", home) as (plain, _):
        port = int(plain.rpartition(":")[2].partition("/")[0])
        with wrapped(port, authority) as chosen:
            yield plain.replace(f"127.0.0.1:{port}", f"localhost:{chosen}") + "&tls=true"


@contextmanager
def redis(home: Path, authority: Authority) -> Iterator[str]:
    """Redis' URL, with its password."""
    port = free_port()
    command = [
        *(servers.valkey_server(), "--bind", "127.0.0.1", "--port", str(port)),
        *("--save", "", "--requirepass", PLAIN_PASSWORD),
    ]
    with ended(command), wrapped(port, authority) as chosen:
        yield f"rediss://:{PASSWORD}@localhost:{chosen}/0"


@contextmanager
def nats(home: Path, authority: Authority) -> Iterator[str]:
    """NATS' URL, with its user and password. Its protocol begins without TLS: no wrapping."""
    port = free_port()
    spec = servers.spec("nats", Settings(koinx_home=home, market="demo"), port, "")
    ((file, text),) = spec.files.items()
    text = "".join(one for one in text.splitlines(True) if not one.startswith("authorization"))
    text += (
        f'tls {{ cert_file: "{authority.chain}", key_file: "{authority.key}" }}\n'
        f"authorization {{ user: {USER}, password: {json.dumps(PLAIN_PASSWORD)} }}\n"
    )
    Path(file).parent.mkdir(parents=True, exist_ok=True)
    Path(file).write_text(text)
    with ended(list(spec.command)):
        yield f"tls://{USER}:{PASSWORD}@localhost:{port}"


@contextmanager
def ended(command: list[str]) -> Iterator[None]:
    """A process that runs, and is ended."""
    quiet = subprocess.DEVNULL
    with subprocess.Popen(command, stdout=quiet, stderr=quiet) as process:
        try:
            yield
        finally:
            process.kill()
            process.wait()
