"""Seconds of work, whatever the clock does meanwhile."""

import time


class Stopwatch:
    """Seconds since it was started. A clock that is set back in between counts as one that stood still."""

    def __init__(self) -> None:
        self.seconds, self.last = 0.0, time.monotonic()

    def read(self) -> float:
        now = time.monotonic()
        self.seconds += max(0.0, now - self.last)
        self.last = now
        return self.seconds
