"""When a process that ended is started again: the pause doubles from start to start."""

import signal
import time

MAX_STARTS = 5  # in a row that never became ready
FIRST_PAUSE, MAX_PAUSE = 0.5, 30.0  # seconds
MAX_PAUSE_IF_WORKING = 2.0  # for a process that was ready, or was killed from outside
RESET_AFTER = 60.0  # seconds of being ready after which the backoff starts over
KILLED = (-signal.SIGKILL, -signal.SIGTERM)


class RestartBackoff:
    """The failed starts of one process, and when the next one is due (`next_start`, monotonic)."""

    def __init__(self) -> None:
        self.next_start = 0.0
        self._pause = FIRST_PAUSE
        self._unready_starts = 0

    def record_ready(self, seconds: float) -> None:
        """Notes that the process has been ready for so many seconds."""
        self._unready_starts = 0
        if seconds > RESET_AFTER:
            self._pause = FIRST_PAUSE

    def record_failure(self, exit_code: int | None, *, was_ready: bool) -> bool:
        """Sets the time of the next start; returns True if there is to be none."""
        # A long pause is for a start that goes wrong. A series of kills says nothing about the
        # start, and everything that needs this process waits for it.
        works = was_ready or exit_code in KILLED
        if not works:
            self._unready_starts += 1
        pause = min(self._pause, MAX_PAUSE_IF_WORKING) if works else self._pause
        self.next_start = time.monotonic() + pause
        self._pause = min(pause * 2, MAX_PAUSE)
        return self._unready_starts >= MAX_STARTS
