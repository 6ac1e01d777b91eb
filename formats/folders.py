"""Fills a directory completely, or not at all."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import signal
import sys
import threading
from typing import NamedTuple


class Contents(NamedTuple):
    """What a directory holds that may be replaced as a whole."""
    words: str          # such as 'a dataset', for errors
    names: re.Pattern   # of all that lies in it


DATASET = Contents('a dataset', re.compile(
    r'.*-r(\d\d\.tfrecords|xx\.(labels|(classes|sources)\.json))|skipped\.txt'))


def check(directory, overwrite=False, contents=DATASET):
    """Raises ValueError unless `directory` is free to be written (or overwritten)."""
    directory = os.path.abspath(directory)
    if not os.path.lexists(directory):
        return
    if not os.path.isdir(directory):
        raise ValueError(f'{directory}: exists and is not a directory')
    names = os.listdir(directory)
    if names and not overwrite:
        raise ValueError(f'{directory}: exists already; add --overwrite to replace it')
    foreign = sorted(name for name in names if not contents.names.fullmatch(name))
    if foreign:
        raise ValueError(f'{directory}: not overwritten: it holds more than '
                         f'{contents.words} ({foreign[0]!r}); choose another directory')


@contextlib.contextmanager
def replacing(directory, overwrite=False, contents=DATASET):
    """Yields a temporary directory beside `directory`, which takes its place at the end.

    On any error, on Ctrl-C and on SIGTERM it is removed and what was there before stays. What a
    run that was killed outright has left is removed by the next one.
    """
    check(directory, overwrite, contents)
    directory = os.path.abspath(directory)
    parent, name = os.path.split(directory)
    _make(parent)
    temporary, old = (os.path.join(parent, f'.{name}.{what}') for what in ('partial', 'old'))
    with _locked(temporary), _sigterm_as_exit():
        try:
            _recover(directory, old)
            check(directory, overwrite, contents)  # what came back may not be overwritten either
            yield temporary
            if os.path.isdir(directory):
                os.rename(directory, old)
            os.rename(temporary, directory)
            shutil.rmtree(old, ignore_errors=True)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            _recover(directory, old)
            raise


def _make(directory):
    """Makes a directory where there is none; ValueError where that cannot be."""
    try:
        os.makedirs(directory, exist_ok=True)
    except OSError as error:
        raise ValueError(f'{directory}: cannot be made ({error.strerror}); name another '
                         'directory') from error


def _recover(directory, old):
    """Finishes, or takes back, a replacement that was stopped between its two renames."""
    if os.path.isdir(old) and not os.path.exists(directory):
        os.rename(old, directory)
    shutil.rmtree(old, ignore_errors=True)


@contextlib.contextmanager
def _locked(temporary):
    """Makes the directory, emptied of what a killed run has left, and holds a lock on it.

    The system frees the lock when a process ends, however it ends: a directory that can be locked
    is nobody's any more.
    """
    while True:
        _make(temporary)
        descriptor = os.open(temporary, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(descriptor)
            raise ValueError(f'{temporary}: another run is writing this '
                             'directory; wait for it, or stop it') from error
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(descriptor), os.stat(temporary)):
                break
        os.close(descriptor)  # the other run has ended meanwhile and moved it away
    for entry in list(os.scandir(temporary)):
        if entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry.path)
        else:
            os.remove(entry.path)
    try:
        yield
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _sigterm_as_exit():
    """SIGTERM unwinds the stack, so that what has to be tidied up is."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
