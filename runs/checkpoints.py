"""Checkpoints: the whole state of a run in numbered directories, each there whole or not at all."""

from __future__ import annotations

import os
import re
import shutil

import tensorflow as tf

NAME = re.compile(r'checkpoint-(\d+)(?:-(\d+))?$')
PART = '.part'           # ending of a directory that is being written
DAMAGED = '.damaged'     # ending of one that could not be read
STATE = 'state'          # what TensorFlow's files in it begin with


def checkpoint_paths(directory):
    """{(nimg, rollbacks): path} of the complete checkpoints in `directory`, the newest last."""
    if not os.path.isdir(directory):
        return {}
    found = {(int(match.group(1)), int(match.group(2) or 0)): os.path.join(directory, name)
             for name in os.listdir(directory) for match in [NAME.match(name)] if match}
    return dict(sorted(found.items()))


def newest_nimg(directory):
    """Images shown at the newest checkpoint in `directory`; None where there is none."""
    return max((nimg for nimg, _ in checkpoint_paths(directory)), default=None)


def _flush(path):
    """Has the disk write a file or directory now: a power cut must not leave half of it."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _first_line(error):
    """Of an error's text, without TensorFlow's name of a node before it."""
    text = re.sub(r'^\{\{.*?\}\} ', '', str(error)) or type(error).__name__
    return text.splitlines()[0][:200]


class Checkpoints:
    """Checkpoints of a TrainingState in one directory, the newest few kept.

    Each is a directory checkpoint-<nimg> with TensorFlow's files in it, or, where the run has gone
    back because of a loss that was not finite, checkpoint-<nimg>-<rollbacks>. It is written under
    another name, flushed and renamed, so that a kill or a full disk cannot leave half of one.
    """

    def __init__(self, state, directory, keep=3, say=print):
        self.state, self.directory, self.keep, self.say = state, directory, keep, say
        self.checkpoint = tf.train.Checkpoint(state=state)
        os.makedirs(directory, exist_ok=True)
        for name in os.listdir(directory):  # what a killed run was writing
            if name.endswith(PART):
                shutil.rmtree(os.path.join(directory, name))

    def newest_kimg(self):
        """Thousands of images shown at the newest checkpoint, 0 where there is none."""
        return (newest_nimg(self.directory) or 0) / 1000

    def what_is_saved(self):
        """A sentence for whoever has to start the run again."""
        return f'Saved: kimg {self.newest_kimg():.1f}; resume with --resume=latest.'

    def save(self):
        """Writes one, unless this very moment is saved already; then removes those of long ago.

        Raises:
            OSError: it could not be written; nothing of it is left, those before are untouched.
        """
        moment = int(self.state.nimg), int(self.state.rollbacks)
        if moment in checkpoint_paths(self.directory):
            return
        rollbacks = f'-{moment[1]}' if moment[1] else ''
        path = os.path.join(self.directory, f'checkpoint-{moment[0]}{rollbacks}')
        try:
            self._write(path + PART)
            os.rename(path + PART, path)
            _flush(self.directory)
        except (OSError, tf.errors.OpError) as error:
            shutil.rmtree(path + PART, ignore_errors=True)
            raise OSError(f'{path}: the checkpoint could not be written ({_first_line(error)}). '
                          'Free some space, then run the same command again.') from error
        self._remove_old()

    def _write(self, directory):
        os.makedirs(directory)
        self.checkpoint.write(os.path.join(directory, STATE))
        for name in os.listdir(directory):
            _flush(os.path.join(directory, name))
        _flush(directory)

    def _remove_old(self):
        """Leaves the newest `keep`, and of two at the same nimg the one after the roll-back."""
        newest_of = {nimg: path for (nimg, _), path in checkpoint_paths(self.directory).items()}
        kept = list(newest_of.values())[-self.keep:]
        for path in checkpoint_paths(self.directory).values():
            if path not in kept:
                shutil.rmtree(path)

    def restore_latest(self):
        """Restores the newest that can be read. Returns False where there is none at all.

        Raises:
            ValueError: it does not fit this run, or not one of them can be read.
        """
        damaged, reason = [], ''
        for path in reversed(checkpoint_paths(self.directory).values()):
            try:
                self._read(os.path.join(path, STATE))
            except tf.errors.OpError as error:
                damaged.append(path)
                reason = reason or _first_line(error)
                continue
            except (AssertionError, ValueError) as error:
                raise ValueError(f'{path}: the checkpoint does not fit this run '
                                 f'({_first_line(error)}). Start another with --resume=none.'
                                 ) from error
            self._set_aside(damaged, reason)
            return True
        if damaged:
            raise ValueError(f'{damaged[0]}: the checkpoint is damaged ({reason}), and there is no '
                             'other. Start a new run from its newest network snapshot with '
                             '--resume=FILE --resume_kimg=KIMG.')
        return False

    def _read(self, files):
        """Restores all of it; what an earlier version did not know (ADDED) stays as it is."""
        known = {name.split('/')[1] for name, _ in tf.train.list_variables(files) if '/' in name}
        unknown = {name: getattr(self.state, name) for name in self.state.ADDED
                   if name not in known}
        for name in unknown:
            delattr(self.state, name)
        try:
            self.checkpoint.read(files).assert_consumed()
        finally:
            for name, value in unknown.items():
                setattr(self.state, name, value)

    def _set_aside(self, damaged, reason):
        for path in damaged:
            os.rename(path, path + DAMAGED)
            self.say(f'{path} is damaged ({reason}): renamed to *{DAMAGED}; the one before is '
                     'taken.')


class NoCheckpoints:
    """What a worker that is not the chief has in place of Checkpoints: the chief's are all."""

    def newest_kimg(self):
        return 0.0

    def what_is_saved(self):
        return 'Resume with --resume=latest from what the chief has saved.'

    def save(self):
        pass

    def restore_latest(self):
        return False
