"""Calls a handler when the process is told to end."""

import signal
import socket
import threading
from collections.abc import Callable

import logs
from logs.redaction import plain

log = logs.get(__name__)


def on_shutdown(handler: Callable[[], None]) -> None:
    """Calls `handler`, in a thread of its own, when this process gets SIGTERM or SIGINT.

    The server's own signal handlers, set before or after, still work. Call it in the main thread.
    """
    # The server waits for open responses before it calls anything of ours; some never end.
    reader, writer = socket.socketpair()
    writer.setblocking(False)
    signal.set_wakeup_fd(writer.detach(), warn_on_full_buffer=False)

    def wait() -> None:
        while number := reader.recv(1):
            if number[0] in (signal.SIGTERM, signal.SIGINT):
                try:
                    handler()
                except Exception as error:
                    # It may work at the next signal; the server's own handler runs anyway.
                    log.warning("shutdown handler failed", reason=plain(error))

    threading.Thread(target=wait, name="shutdown", daemon=True).start()
