"""Stopping between two iterations: SIGINT and SIGTERM are remembered, never acted on at once."""

from __future__ import annotations

import signal


class Interrupted(Exception):
    """The run was asked to stop (SIGINT, SIGTERM); a checkpoint has been written."""


class StopSignal:
    """Remembers SIGINT and SIGTERM, so that a run stops between two iterations, not inside one."""

    def __init__(self):
        self.number = None
        self._previous = {}

    def __enter__(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            self._previous[number] = signal.signal(number, self._received)
        return self

    def __exit__(self, *_):
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _received(self, number, _):
        if self.number is not None:  # the second time: at once
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        self.number = number
