"""Checkpoints of finite states only; a run whose losses or weights are not goes back to one."""

from __future__ import annotations

import math

import tensorflow as tf

from training.layers import named_variables

MAX_ROLLBACKS = 2  # in the whole of a run
ADVICE = (  # rates: a state's RATE_FLAGS
    f'and going back to the checkpoint {MAX_ROLLBACKS} times, each with other random numbers, has '
    'not helped. That checkpoint is good. Go on from it with --resume=latest and a lower '
    '{rates}, or another --seed; look for odd images in the '
    'data set with dataset_tool.py info --quality.')


def _all_finite(variables):
    floats = [variable for variable in variables if variable.dtype.is_floating]
    return bool(tf.reduce_all([tf.reduce_all(tf.math.is_finite(v)) for v in floats]))


def first_not_finite(state, stats=None):
    """What is not finite: the name of a loss in `stats`, or of a variable of a RunState; or None.

    A state whose sums of losses or whose weights are not finite must not become a checkpoint: the
    run could not go back to what was before.
    """
    for name in state.LOSSES:
        if stats is not None and not math.isfinite(stats[name]):
            return name
    if _all_finite(state.variables):
        return None
    for part in state.NETWORKS:
        for name, variable in named_variables(getattr(state, part)).items():
            if not _all_finite([variable]):
                return f'{part}/{name}'
    return 'a loss or a moment of the optimizers'


class Recovery:
    """Saves and restores a run on all workers at once, and goes back where it must."""

    def __init__(self, state, checkpoints, clock, log, replicas):
        self.state, self.checkpoints, self.clock = state, checkpoints, clock
        self.log, self.replicas = log, replicas

    def restore(self):
        """Restores the newest checkpoint on all workers. Returns False where there is none."""
        found = self.replicas.any_worker(self.checkpoints.restore_latest())
        if found:
            self.replicas.spread(self.state.variables)
        return found

    def newest_kimg(self):
        """Thousands of images at the newest checkpoint; the chief has written it by now."""
        newest = tf.constant(self.checkpoints.newest_kimg(), tf.float64)
        return float(self.replicas.from_chief(newest))

    def save_beginning(self):
        """The first checkpoint. On a full disk, better to stop now than to find nothing later."""
        self.checkpoints.save()

    def save(self):
        """The whole state, the time spent so far with it; goes back if it is not finite."""
        broken = first_not_finite(self.state)
        if broken:
            self.go_back(broken)
            return
        self.state.seconds.assign_add(self.clock.count())
        self.log.disk.write('the checkpoint', self.checkpoints.save)

    def go_back(self, broken):
        """Resumes from the newest checkpoint with other random numbers, because of `broken`.

        Raises:
            ValueError: it did so MAX_ROLLBACKS times already.
        """
        what = f'{broken} is not finite at kimg {self.state.kimg:.1f}'
        rollbacks = int(self.state.rollbacks) + 1
        seconds = float(self.state.seconds)
        if rollbacks > MAX_ROLLBACKS:
            raise ValueError(f'{what}, {ADVICE.format(rates=self.state.RATE_FLAGS)}')
        if not self.restore():
            raise ValueError(f'{what}, and there is no checkpoint to go back to.')
        self.state.rollbacks.assign(rollbacks)
        self.state.seconds.assign(seconds)
        self.log.say(f'{what}: back to kimg {self.state.kimg:.1f}, with other random numbers from '
                     f'here on (time {rollbacks} of at most {MAX_ROLLBACKS}).')
        self.log.start_at(self.state.kimg)
        self.clock.start_tick()
        self.save()
