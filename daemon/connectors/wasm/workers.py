"""The threads guests run on: made when first needed, woken most recently used first, joined at the end.

Only the event loop's thread hands out work and takes threads back, so there is nothing to lock.
"""

import threading
from collections.abc import Callable


class Worker:
    """One thread that does one job at a time."""

    def __init__(self, *, name: str) -> None:
        self._wake = threading.Lock()
        self._wake.acquire()
        self._job: Callable[[], None] | None = None
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def do(self, job: Callable[[], None]) -> None:
        """Start a job; the worker must be idle."""
        self._job = job
        self._wake.release()

    def stop(self) -> None:
        """Let an idle worker end, or a busy one when its job is done."""
        self._wake.release()

    def join(self) -> None:
        """Wait until the thread has ended."""
        self._thread.join()

    def _run(self) -> None:
        while True:
            self._wake.acquire()
            job, self._job = self._job, None
            if job is None:
                return
            job()


class Workers:
    """The idle threads, and how many there are in all."""

    def __init__(self, *, most: int) -> None:
        self.most = most
        self._all: list[Worker] = []
        self._idle: list[Worker] = []

    def take(self) -> Worker:
        """Take an idle worker, or make one; the caller counts, so that there are never more than `most`."""
        if self._idle:
            return self._idle.pop()
        worker = Worker(name=f"wasm-{len(self._all)}")
        self._all.append(worker)
        return worker

    def give_back(self, worker: Worker) -> None:
        """Take a worker back whose job is done."""
        self._idle.append(worker)

    def close(self) -> None:
        """End all threads; their jobs must be ending already."""
        for worker in self._all:
            worker.stop()
        for worker in self._all:
            worker.join()
        self._all.clear()
        self._idle.clear()
