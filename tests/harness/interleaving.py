"""Workers in threads of which one runs at a time, each from one point to the next."""

import threading
from collections.abc import Callable


class Killed(BaseException):
    """A worker ends where it stands, as by SIGKILL."""


class Worker:
    """One task in a thread: it stands still at each `pause` until it is told to go on.

    `update` and `fence` say what it carries out, by which claim; `error` is what it ended with.
    """

    def __init__(self, task: Callable[[], object]) -> None:
        self.update: str | None = None
        self.fence = 0
        self.error: BaseException | None = None
        self.ended = False
        self._task = task
        self._go = threading.Semaphore(0)
        self._stands = threading.Semaphore(0)
        self._killed = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def go_on(self) -> None:
        """Runs it to the next point, or to its end."""
        self._go.release()
        self._stands.acquire()
        if self.ended:
            self._thread.join()

    def finish(self) -> None:
        """Runs it to its end."""
        while not self.ended:
            self.go_on()

    def kill(self) -> None:
        """Ends it where it stands."""
        self._killed = True
        self.finish()

    def pause(self) -> None:
        """Stands still; raises Killed when it is to end here. For its own thread."""
        if self._killed:
            raise Killed
        self._stands.release()
        self._go.acquire()
        if self._killed:
            raise Killed

    def _run(self) -> None:
        _this.worker = self
        self._go.acquire()
        try:
            if not self._killed:
                self._task()
        except Killed:
            pass
        except BaseException as error:
            self.error = error  # told in the test's own thread
        finally:
            self.ended = True
            self._stands.release()


_this = threading.local()


def worker() -> Worker | None:
    """The worker whose thread this is."""
    found: Worker | None = getattr(_this, "worker", None)
    return found


def pause() -> None:
    """A point at which a worker stands still; nothing in any other thread."""
    if (this := worker()) is not None:
        this.pause()
