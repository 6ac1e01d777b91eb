"""Memory that runs out: tried before training starts, and told in one line where it happens."""

from __future__ import annotations

import contextlib
from typing import NamedTuple

import tensorflow as tf

from runs.log import memory_gb
from training.schedule import chunks_of


def is_exhaustion(error):
    """Whether TensorFlow's error means that there is too little memory."""
    # Where none of cuDNN's algorithms gets its memory, the error is one of not finding any.
    return isinstance(error, tf.errors.ResourceExhaustedError) or (
        isinstance(error, tf.errors.NotFoundError) and 'RESOURCE_EXHAUSTED' in error.message)


class Share(NamedTuple):
    """What a GPU (without any: the CPU) computes at a time, when memory is needed the most."""
    resolution: int  # pixels
    images: int      # computed at a time
    smaller: int     # the next smaller number that could be; 0 = none

    def __str__(self):
        return (f'{self.images} image{"s" if self.images > 1 else ""}'
                + (' per GPU' if tf.config.list_logical_devices('GPU') else ''))


def share_of(sched, config):
    """The Share of a Schedule in a run."""
    per_gpu = sched.minibatch // config.num_gpus
    images = per_gpu // chunks_of(per_gpu, config.batch_gpu)
    smaller = [number for number in range(1, images // 2 + 1)
               if per_gpu % number == 0 and (number < config.group or number % config.group == 0)]
    return Share(sched.resolution, images, max(smaller, default=0))


@contextlib.contextmanager
def explained(doing, share, what_is_saved, width_flags):
    """Turns running out of memory into one ValueError: where it was, and what to change.

    Args:
        doing: what needed the memory, such as 'a training step'.
        share: Share, computed at that time.
        what_is_saved: called after the failure; returns a sentence, such as 'Saved: kimg 12.0.'
        width_flags: flags that make networks smaller, in words.
    """
    try:
        yield
    except tf.errors.OpError as error:
        if not is_exhaustion(error):
            raise
        kind = 'GPU memory' if tf.config.list_logical_devices('GPU') else 'memory'
        size, smaller = share.resolution, share.smaller
        remedy = (f'Use --batch_gpu={smaller}: the same training in less memory, slower.'
                  if smaller else
                  'Fewer at a time there cannot be; what is left is a GPU with more memory, or a '
                  f'new run with a smaller {width_flags}.')
        raise ValueError(f'Out of {kind} in {doing} at {size}x{size} with {share}. '
                         f'{what_is_saved()} {remedy}') from error


def wants_probe(config):
    """Whether a run tries its last resolution first: as it is told, else where there is a GPU."""
    return bool(tf.config.list_logical_devices('GPU')) if config.probe is None else config.probe


def grow():
    """Takes GPU memory as it is needed from here on; to be called before any GPU is used."""
    for gpu in tf.config.list_physical_devices('GPU'):
        tf.config.experimental.set_memory_growth(gpu, True)


def _reset_peak():
    for gpu in tf.config.list_logical_devices('GPU'):
        tf.config.experimental.reset_memory_stats(gpu.name.split('device:')[-1])


def probe(state, step, share, log):
    """Runs `step`, then puts every variable of `state` back bit for bit (copied to the host).

    The log gets a line with the seconds (of compiling, mostly) and the memory that it took.
    """
    _reset_peak()
    with log.phase(f'Memory probe: one step at {share.resolution}x{share.resolution}, '
                   f'{share}') as told:
        copies = [(variable, variable.numpy()) for variable in state.variables]
        step()
        for variable, value in copies:
            variable.assign(value)
        gpu, cpu = memory_gb()
        told.append(f'peak GPU memory {gpu:.1f} GB' if gpu else f'peak memory {cpu:.1f} GB')
    _reset_peak()  # from here on it is that of training


class RunMemory:
    """Running out of memory in one run: what its message says, and what is saved before that."""

    def __init__(self, config, state, recovery):
        self.config, self.state, self.recovery = config, state, recovery

    def share(self, sched):
        """The Share of a Schedule."""
        return share_of(sched, self.config)

    def explained(self, doing, sched, is_whole=False):
        """Running out of memory inside this context is one ValueError.

        is_whole: whether the state is whole wherever that happens: then it is saved first.
        """
        trained = self.state.iteration.numpy()  # now: a step that fails may have been counted

        def what_is_saved():
            if not trained:
                return 'Nothing has been trained yet.'
            if is_whole:
                self.recovery.save()
            return self.recovery.checkpoints.what_is_saved()

        return explained(doing, self.share(sched), what_is_saved, self.config.WIDTH_FLAGS)

    def probe(self, sched, step, log):
        """Tries `step`, an iteration under `sched`, so that too little memory shows now."""
        with self.explained('the memory probe (--noprobe leaves it out)', sched):
            probe(self.state, step, self.share(sched), log)
