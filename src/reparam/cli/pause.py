"""When a training is saved or stopped: by time, and by a signal, at the next step."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ..errors import ReparamError
from ..stopwatch import Stopwatch

SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


class Stopped(ReparamError):
    """A signal has ended the training; everything is saved, and the exit status is 128 and its number."""

    def __init__(self, number: int) -> None:
        name = signal.Signals(number).name
        super().__init__(f"stopped by {name} and saved; the same command with --resume continues")
        self.status = 128 + number


class TimedPause:
    """Saves at the first step and every `seconds`, and stops after a signal; a second SIGINT interrupts at
    once."""

    def __init__(self, seconds: float, save: Callable[[], None]) -> None:
        self.seconds, self.save = seconds, save
        self.signal: int | None = None
        self.unsaved: Stopwatch | None = None

    def wanted(self) -> tuple[bool, bool]:
        due = self.unsaved is None or self.unsaved.read() >= self.seconds
        return due, self.signal is not None

    def __call__(self, stop: bool) -> None:
        self.save()
        self.unsaved = Stopwatch()
        if stop:
            raise Stopped(self.signal or signal.SIGTERM)

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Inside, a signal is noted for the next step; one that the caller ignores (nohup) stays ignored."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.getsignal(number) for number in SIGNALS}
        heard = [number for number, handler in before.items() if handler not in (signal.SIG_IGN, None)]
        for number in heard:
            signal.signal(number, self._note)
        try:
            yield
        finally:
            for number in heard:
                signal.signal(number, before[number])

    def _note(self, number: int, frame: object) -> None:
        if self.signal == number == signal.SIGINT:
            raise KeyboardInterrupt
        self.signal = number
