"""Questions one after another on two threads, and those that arrive together in one pass of the model."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

WAITING = 64
"""The most questions that wait for a worker; further ones are refused."""
SECONDS = 120.0
"""How long a question may wait and be answered."""
MERGED_ROWS = 1024
"""The most rows of one pass."""


class BusyError(Exception):
    """The queue is full: ask again later (503)."""


class LateError(Exception):
    """No answer in time (504)."""


@dataclass(eq=False)
class Question:
    """`rows` that `run` takes as a list of parts, giving one answer each; those of equal `key` may
    be run together."""

    key: Hashable
    rows: Any
    n: int
    run: Callable[[list[Any]], list[Any]]
    done: "asyncio.Future[Any]"
    until: float = field(default_factory=lambda: time.monotonic() + SECONDS)


class Worker:
    """One thread that answers questions in their order. Torch's random numbers are those of the process, so
    all that draws some must be with one worker."""

    def __init__(self, name: str, waiting: int = WAITING, seconds: float = SECONDS) -> None:
        self.thread = ThreadPoolExecutor(1, thread_name_prefix=name)
        self.waiting, self.seconds = waiting, seconds
        self.queue: deque[Question] = deque()
        self.passes = 0
        self.task: asyncio.Task[None] | None = None

    async def ask(
        self, run: Callable[[list[Any]], list[Any]], rows: Any, n: int, key: Hashable = None
    ) -> Any:
        """The answer of `run([rows])[0]`, n rows; questions of one key that wait together are run as one
        list. A key of None is never merged."""
        if len(self.queue) >= self.waiting:
            raise BusyError(f"{len(self.queue)} questions are waiting: ask again in a moment")
        loop = asyncio.get_running_loop()
        question = Question(key, rows, n, run, loop.create_future(), time.monotonic() + self.seconds)
        self.queue.append(question)
        if self.task is None or self.task.done():
            self.task = loop.create_task(self.work())
        try:
            return await asyncio.wait_for(question.done, self.seconds)
        except TimeoutError:
            raise LateError(f"no answer within {self.seconds:g} s: ask for fewer rows") from None

    async def work(self) -> None:
        """Answer what waits, until nothing does."""
        loop = asyncio.get_running_loop()
        while self.queue:
            batch = self.next_batch()
            if batch:
                await loop.run_in_executor(self.thread, self.answer, batch, loop)

    def next_batch(self) -> list[Question]:
        """The first question, and those behind it that are run with it; abandoned ones are dropped."""
        first = self.queue.popleft()
        if first.done.done():
            return []
        batch, rows = [first], first.n
        if first.key is not None:
            for other in list(self.queue):
                if other.key == first.key and not other.done.done() and rows + other.n <= MERGED_ROWS:
                    self.queue.remove(other)
                    batch.append(other)
                    rows += other.n
        return batch

    def answer(self, batch: list[Question], loop: asyncio.AbstractEventLoop) -> None:
        """On the thread: run a batch; where it fails, each question alone, so that each has its own error."""
        self.passes += 1
        try:
            found: list[Any] = batch[0].run([question.rows for question in batch])
        except Exception as error:
            if len(batch) == 1:
                found = [error]
            else:
                for question in batch:
                    self.answer([question], loop)
                return
        for question, each in zip(batch, found, strict=True):
            loop.call_soon_threadsafe(settle, question.done, each)

    def close(self) -> None:
        self.thread.shutdown(wait=False, cancel_futures=True)


def settle(done: "asyncio.Future[Any]", found: Any) -> None:
    """Set the result, or the error, of a question that still waits."""
    if done.done():
        return
    if isinstance(found, Exception):
        done.set_exception(found)
    else:
        done.set_result(found)
