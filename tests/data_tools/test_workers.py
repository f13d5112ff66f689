"""Worker processes: results in order, errors whole, nobody left behind."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from data_tools.errors import UserError
from data_tools.workers import Pool

ROOT = Path(__file__).parents[2]


class Task:
    """Lives in a module, as a worker's task must."""

    def __call__(self, number: int):
        match number:
            case -1:
                raise UserError("no such thing")
            case -2:
                raise ValueError("broken inside")
            case -3:
                os.kill(os.getpid(), signal.SIGKILL)
            case -4:
                raise Unpicklable(lambda: None)
        time.sleep(0.002 * (number % 3))
        return number, os.getpid()


class Unpicklable(Exception):
    pass


class Stubborn:
    def __reduce__(self):
        return (int, ("not a number",))


@pytest.fixture
def pool():
    pool = Pool(Task(), 2)
    yield pool
    pool.close()


def test_results_come_in_the_order_of_the_jobs_from_more_than_one_process(pool):
    numbers, processes = zip(*pool.run((i,) for i in range(40)))
    assert list(numbers) == list(range(40))
    assert len(set(processes)) == 2 and os.getpid() not in processes


def test_processes_stay_for_the_next_run_and_a_run_left_early_does_no_harm(pool):
    first = next(iter(pool.run((i,) for i in range(40))))[1]
    again = list(pool.run((i,) for i in range(10)))
    assert [number for number, _ in again] == list(range(10)) and first in {process for _, process in again}


def test_two_runs_at_once_do_not_mix(pool):
    pairs = zip(pool.run((i,) for i in range(20)), pool.run((100 + i,) for i in range(20)))
    assert all(b[0] - a[0] == 100 for a, b in pairs)


def test_a_users_mistake_stays_one_and_other_errors_bring_their_traceback(pool):
    with pytest.raises(UserError, match="no such thing"):
        list(pool.run([(0,), (-1,)]))
    with pytest.raises(ValueError, match="broken inside") as raised:
        list(pool.run([(-2,)]))
    assert "in __call__" in raised.value.__notes__[0]
    with pytest.raises(RuntimeError, match="Unpicklable"):
        list(pool.run([(-4,)]))
    assert [number for number, _ in pool.run([(5,)])] == [5]


def test_a_worker_that_is_killed_is_one_line_and_the_next_run_starts_afresh(pool):
    with pytest.raises(UserError, match="signal 9"):
        list(pool.run([(1,), (-3,), (2,)]))
    assert [number for number, _ in pool.run([(5,)])] == [5]


HANDLED = """
    import ctypes, signal
    from data_tools.errors import UserError
    from data_tools.workers import Pool
    from tests.data_tools.test_workers import Task
    libc = ctypes.CDLL(None)
    libc.signal(signal.SIGCHLD, ctypes.cast(libc._exit, ctypes.c_void_p))
    try:
        list(Pool(Task(), 2).run([(1,), (-3,), (2,)]))
    except UserError as error:
        print(error)
"""


def test_a_library_that_ends_the_process_with_its_child_does_not_have_its_way():
    """Jittor puts such a handler there; a run would be lost without a word of which worker died."""
    command = [sys.executable, "-c", textwrap.dedent(HANDLED)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert ended.returncode == 0 and "signal 9" in ended.stdout


def test_a_task_that_cannot_be_unpickled_says_why():
    with pytest.raises(ValueError, match="not a number"):
        list(Pool(Stubborn(), 1).run([(1,)]))


def test_without_workers_everything_happens_here():
    assert list(Pool(Task(), 0).run([(3,)])) == [(3, os.getpid())]
    with pytest.raises(UserError, match="workers"):
        Pool(Task(), -1)


SCRIPT = """
    import signal, sys
    signal.signal(signal.SIGINT, signal.default_int_handler)  # shells start background jobs without it
    from tests.data_tools.test_workers import Task
    from data_tools.workers import Pool
    for number, process in Pool(Task(), 2).run((i,) for i in range(10**9)):
        if number < 20:
            print(process, flush=True)
"""


def _endless() -> subprocess.Popen:
    """A script without `if __name__ == "__main__"` that never ends by itself."""
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(SCRIPT)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def _alive(process: int) -> bool:
    try:
        return "State:\tZ" not in Path(f"/proc/{process}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


def _gone(processes: set[int]) -> bool:
    for _ in range(200):
        if not any(map(_alive, processes)):
            return True
        time.sleep(0.05)
    return False


def test_a_killed_run_leaves_no_workers_behind():
    script = _endless()
    workers = {int(script.stdout.readline()) for _ in range(20)}
    script.kill()
    script.communicate()
    assert len(workers) == 2 and _gone(workers)


def test_ctrl_c_gives_one_interrupt_and_no_tracebacks_of_workers():
    script = _endless()
    workers = {int(script.stdout.readline()) for _ in range(20)}
    os.killpg(script.pid, signal.SIGINT)
    _, errors = script.communicate(timeout=60)
    assert errors.count("Traceback") == 1 and errors.rstrip().endswith("KeyboardInterrupt")
    assert _gone(workers)
