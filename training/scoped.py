"""Context variables that have another value within a block."""

from __future__ import annotations

import contextlib


@contextlib.contextmanager
def within(variable, value):
    """Inside, the contextvars.ContextVar `variable` has this value; afterwards that of before."""
    token = variable.set(value)
    try:
        yield
    finally:
        variable.reset(token)
