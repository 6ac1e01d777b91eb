"""Work that goes on behind the caller, in threads: files are written while the next is made."""

from __future__ import annotations

import collections
import concurrent.futures


class Behind:
    """Runs functions in threads; a context manager, which ends when all have ended.

    An error of a function comes out of a later `run`, or at the end; what has not begun by then is
    dropped.

    Args:
        threads: functions at work at once; one more for each of them waits, then `run` does.
    """

    def __init__(self, threads):
        self._pool = concurrent.futures.ThreadPoolExecutor(threads)
        self._room, self._unfinished = 2 * threads, collections.deque()

    def __enter__(self):
        return self

    def run(self, function, *args):
        """Calls function(*args) behind the caller, as soon as there is room."""
        while self._unfinished and (self._unfinished[0].done()
                                    or len(self._unfinished) == self._room):
            self._unfinished.popleft().result()
        self._unfinished.append(self._pool.submit(function, *args))

    def __exit__(self, kind, *_):
        try:
            while self._unfinished and kind is None:
                self._unfinished.popleft().result()
        finally:
            self._pool.shutdown(cancel_futures=True)
