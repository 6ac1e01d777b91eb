"""Worker processes: a function over many items, results in order, memory bounded."""

from __future__ import annotations

import collections
import concurrent.futures
import contextlib
import ctypes
import itertools
import multiprocessing
import multiprocessing.connection
import os
import signal
import sys
import threading
import types
from concurrent.futures.process import BrokenProcessPool

CHUNK = 16           # items a worker takes at a time
CHUNKS_AHEAD = 3     # chunks waiting or in work for each worker: 48 images in flight
ITEMS_PER_WORKER = 64  # fewer do not pay for starting another process


def available():
    """How many processor cores this process may use."""
    if hasattr(os, 'sched_getaffinity'):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class Workers:
    """A pool of `count` processes; a context manager. With one, the work is done in this process.

    The processes never load TensorFlow. They are forked where that is safe, and otherwise started
    afresh ('spawn'), which takes them a third of a second.
    """

    def __init__(self, count):
        if count < 1:
            raise ValueError(f'the number of workers must be at least 1, got {count}')
        self._count, self._pool = count, None

    def __enter__(self):
        _keep_freed_memory()
        if self._count > 1:
            self._pool = concurrent.futures.ProcessPoolExecutor(
                self._count, multiprocessing.get_context(_start_method()), _start_worker)
            with _unseen():
                for _ in range(self._count):  # the pool starts a process for each, while all are
                    self._pool.submit(int)    # still starting
        return self

    def __exit__(self, *_):
        if self._pool:
            self._pool.shutdown(cancel_futures=True)

    def map(self, function, items):
        """Yields the results for all items in order; function: list of items -> list of results.

        `function` must be picklable; it gets at most CHUNK items at a time.
        """
        items = iter(items)
        chunks = iter(lambda: list(itertools.islice(items, CHUNK)), [])
        if not self._pool:
            for chunk in chunks:
                yield from function(chunk)
            return
        pending = collections.deque()
        for chunk in chunks:
            pending.append(self._pool.submit(function, chunk))
            if len(pending) >= CHUNKS_AHEAD * self._count:
                yield from self._result(pending.popleft())
        while pending:
            yield from self._result(pending.popleft())

    @staticmethod
    def _result(future):
        try:
            return future.result()
        except BrokenProcessPool as error:
            raise OSError('the system ended a worker process, most likely for lack of memory: '
                          'try again with --workers=1') from error


def count_for(num_items, wanted=None):
    """How many workers to use for so many items; `wanted` None = as many as pay."""
    return wanted or max(1, min(available(), num_items // ITEMS_PER_WORKER))


def _start_method():
    """'fork' in a process without other threads (TensorFlow has some), whose locks would stay."""
    alone = threading.active_count() == 1 and 'tensorflow' not in sys.modules
    return 'fork' if alone and sys.platform == 'linux' else 'spawn'


@contextlib.contextmanager
def _unseen():
    """Processes that are started here see neither Ctrl-C nor the script.

    Ctrl-C is for the parent, which ends them. The script and all that it imports, TensorFlow too,
    would be loaded into each of them; they need only the modules of their functions.
    """
    script = sys.modules['__main__']
    sys.modules['__main__'] = types.ModuleType('__main__')
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # inherited, for good
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        sys.modules['__main__'] = script


def _keep_freed_memory():
    """Tells the C library not to hand freed memory back to the system after each image.

    To get it again, page by page, for the next one takes a fifth of the time of a conversion.
    """
    trim_threshold, mmap_threshold = -1, -3  # as in glibc's malloc.h; other libraries do without
    with contextlib.suppress(AttributeError, OSError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(mmap_threshold, 2**25)  # the most that glibc takes
        mallopt(trim_threshold, 2**27)


def _start_worker():
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # forked: the parent's handler is not for it
    _keep_freed_memory()
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent():
    """A worker whose parent was killed would wait for work for ever."""
    multiprocessing.connection.wait([multiprocessing.parent_process().sentinel])
    os._exit(1)
