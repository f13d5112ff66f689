"""Worker processes that are safe with frameworks in the parent, and leave no orphans.

Each worker is a fresh Python (never a fork: the parent may hold OpenMP threads), joined by one socket pair. It
unpickles one task, then runs it on job after job, and sends results from a thread of its own, so that it works ahead
while the parent is busy elsewhere. The parent has no threads. A worker whose parent is gone, SIGKILL included, reads
the end of its socket and ends. Nothing of the parent's `__main__` is imported, so scripts need no guard; but the task's
classes must live in modules.
"""

from __future__ import annotations

import os
import pickle
import queue
import signal
import socket
import subprocess
import sys
import threading
import traceback
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from multiprocessing.connection import Connection, wait
from typing import Any

from data_tools.errors import UserError

_START = "import sys; sys.path[:] = sys.argv[2:]; from data_tools.workers import serve; serve(int(sys.argv[1]))"
_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


class Pool:
    """Runs `task(*job)` for many jobs in `workers` processes; with 0 workers in this one.

    `task` must be picklable. Processes start with the first job and stay until `close` or the pool's own end.
    `ahead` jobs, or three for each worker if that is more, are given out before the first of them is asked for.
    """

    def __init__(self, task: Callable[..., Any], workers: int = 0, ahead: int = 0):
        if workers < 0:
            raise UserError(f"workers is {workers}; it must be 0 (load in this process) or more")
        self.task, self.workers = task, workers
        self.ahead = max(ahead, 3 * workers)
        self._processes: _Processes | None = None

    def run(self, jobs: Iterable[tuple]) -> Iterator[Any]:
        """The results of `jobs`, in their order for any number of workers; an exception of the task is raised here.

        `jobs` is consumed a few jobs ahead. Several runs may be open at once, and one may be left early.
        """
        if not self.workers:
            for job in jobs:
                yield self.task(*job)
            return
        if self._processes is None or self._processes.closed:
            self._processes = _Processes(self.task, self.workers)
        processes, tickets = self._processes, deque()
        try:
            for job in jobs:
                tickets.append(processes.submit(job))
                if len(tickets) > self.ahead:
                    yield processes.result(tickets.popleft())
            while tickets:
                yield processes.result(tickets.popleft())
        finally:
            processes.forget(tickets)

    def close(self) -> None:
        """Ends the processes; a later `run` starts new ones."""
        if self._processes is not None:
            self._processes.close()
            self._processes = None


class _Processes:
    """The parent's end: sockets, who has how much to do, results that came before their turn."""

    def __init__(self, task: Callable[..., Any], workers: int):
        payload = pickle.dumps(task, protocol=5)
        _take_back_child_signal()
        self._children: dict[Connection, subprocess.Popen] = dict(_spawn() for _ in range(workers))
        self.close = weakref.finalize(self, _end, self._children, os.getpid())
        self._waiting = dict.fromkeys(self._children, 0)
        self._results: dict[int, tuple[bool, Any]] = {}
        self._wanted: set[int] = set()
        self._last = 0
        for connection in self._children:
            self._guard(connection, lambda connection=connection: connection.send_bytes(payload))

    @property
    def closed(self) -> bool:
        return not self.close.alive

    def submit(self, job: tuple) -> int:
        connection = min(self._waiting, key=self._waiting.get)
        self._last += 1
        message = pickle.dumps((self._last, job), protocol=5)
        self._guard(connection, lambda: connection.send_bytes(message))
        self._waiting[connection] += 1
        self._wanted.add(self._last)
        return self._last

    def result(self, ticket: int) -> Any:
        while ticket not in self._results:
            for connection in wait(list(self._children)):
                self._receive(connection)
        self._wanted.discard(ticket)
        good, value = self._results.pop(ticket)
        if not good:
            raise value
        return value

    def forget(self, tickets: Iterable[int]) -> None:
        for ticket in tickets:
            self._wanted.discard(ticket)
            self._results.pop(ticket, None)

    def _receive(self, connection: Connection) -> None:
        ticket, good, value = pickle.loads(self._guard(connection, connection.recv_bytes))
        if ticket is None:  # the task itself could not be unpickled
            self.close()
            raise value
        self._waiting[connection] -= 1
        if ticket in self._wanted:
            self._results[ticket] = good, value

    def _guard(self, connection: Connection, talk: Callable[[], Any]) -> Any:
        """Runs `talk`; whatever interrupts it (Ctrl-C too) ends the pool, since a message may be half read."""
        try:
            return talk()
        except (EOFError, OSError) as error:
            why = self._epitaph(connection)
            self.close()
            raise UserError(f"a worker process ended {why}; use fewer workers, or 0 to see its error here") from error
        except BaseException:
            self.close()
            raise

    def _epitaph(self, connection: Connection) -> str:
        try:
            code = self._children[connection].wait(timeout=5)
        except subprocess.TimeoutExpired:
            return "its connection"
        return f"by signal {-code} ({signal.strsignal(-code)})" if code < 0 else f"with exit code {code}"


def _take_back_child_signal() -> None:
    """Puts Python's own handling of SIGCHLD back in place.

    A library may have put a C handler there that ends this process when a child is killed, as Jittor does, before it
    could say which worker died or save anything.
    """
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGCHLD, signal.getsignal(signal.SIGCHLD) or signal.SIG_DFL)


def _spawn() -> tuple[Connection, subprocess.Popen]:
    ours, theirs = socket.socketpair()
    command = [sys.executable, "-c", _START, str(theirs.fileno()), *sys.path]
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # Ctrl-C is the parent's to handle
    try:
        child = subprocess.Popen(
            command,
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            env=os.environ | _ONE_THREAD,
        )
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        theirs.close()
    return Connection(ours.detach()), child


def _end(children: dict[Connection, subprocess.Popen], owner: int) -> None:
    if os.getpid() != owner:  # a fork of the owner is leaving
        return
    for connection, child in children.items():
        connection.close()
        child.terminate()
    for child in children.values():
        child.wait()


def serve(descriptor: int) -> None:
    """A worker's life: the task, then jobs, until the parent's end of the socket closes."""
    connection = Connection(descriptor)
    outbox: queue.SimpleQueue = queue.SimpleQueue()
    threading.Thread(target=_send_all, args=(connection, outbox), daemon=True).start()
    try:
        try:
            task = pickle.loads(connection.recv_bytes())
        except (EOFError, OSError):
            raise
        except Exception as error:
            outbox.put((None, False, _portable(error)))
            connection.recv_bytes()  # nothing more can be done here; wait for the end
        while True:
            ticket, job = pickle.loads(connection.recv_bytes())
            outbox.put((ticket, *_attempt(task, job)))
    except (EOFError, OSError):
        os._exit(0)


def _send_all(connection: Connection, outbox: queue.SimpleQueue) -> None:
    try:
        while True:
            connection.send_bytes(pickle.dumps(outbox.get(), protocol=5))
    except OSError:
        os._exit(0)


def _attempt(task: Callable[..., Any], job: tuple) -> tuple[bool, Any]:
    try:
        return True, task(*job)
    except Exception as error:
        return False, _portable(error)


def _portable(error: Exception) -> Exception:
    """The exception with the worker's traceback as a note; one that cannot be pickled becomes a RuntimeError."""
    lines = "".join(traceback.format_exception(error))
    try:
        copy = pickle.loads(pickle.dumps(error))
    except Exception:
        copy = RuntimeError(f"{type(error).__name__}: {error}")
    copy.add_note(f"in a worker process:\n{lines}")
    return copy
