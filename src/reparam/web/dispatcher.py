"""Answers behind two threads, counted and timed."""

import logging
import time

from ..errors import ReparamError
from .answers import QUICK, Answers
from .metrics import Metrics
from .workers import SECONDS, WAITING, BusyError, LateError, Worker

log = logging.getLogger("reparam.web")


class Dispatcher:
    """Answers behind two workers: `quick` for what draws no random numbers, `slow` for the rest."""

    def __init__(self, answers: Answers, waiting: int = WAITING, seconds: float = SECONDS) -> None:
        self.answers, self.metrics = answers, Metrics()
        self.quick, self.slow = Worker("quick", waiting, seconds), Worker("slow", waiting, seconds)

    def worker(self, verb: str) -> Worker:
        return self.quick if verb in QUICK else self.slow

    async def ask_bytes(self, verb: str, body: bytes) -> bytes:
        """One question of the page."""
        started = time.perf_counter()

        def run(each: list[bytes]) -> list[bytes]:
            return [self.answers.ask_bytes(one, verb) for one in each]

        found: bytes = await self.worker(verb).ask(run, body, 1)
        self.metrics.took("ask", time.perf_counter() - started, 1)
        return found

    def metrics_text(self) -> str:
        workers = {"quick": self.quick, "slow": self.slow}
        waiting = {name: len(worker.queue) for name, worker in workers.items()}
        return self.metrics.text(waiting, sum(worker.passes for worker in workers.values()))

    def close(self) -> None:
        self.quick.close()
        self.slow.close()


def failure_of(error: Exception) -> tuple[int, str, dict[str, str]]:
    """The HTTP status, words and headers for an error; the words of an unforeseen one go to the log alone."""
    statuses = {BusyError: 503, LateError: 504, ReparamError: 422}
    for kind, status in statuses.items():
        if isinstance(error, kind):
            again = {"retry-after": "1"} if status == 503 else {}
            return status, " ".join(str(error).split()), again
    log.error("a question failed", exc_info=error)
    return 500, "the question failed here; the server's log says why", {}
