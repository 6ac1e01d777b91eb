"""When a run must go back to its last checkpoint: a loss or a weight is not finite."""

from __future__ import annotations

import math

import tensorflow as tf

from training.layers import named_variables

MAX_ROLLBACKS = 2  # in the whole of a run
LOSSES = ('loss_D', 'loss_G')
ADVICE = (
    f'and going back to the checkpoint {MAX_ROLLBACKS} times, each with other random numbers, has '
    'not helped. That checkpoint is good. Go on from it with --resume=latest and a lower '
    '--G_lrate_base and --D_lrate_base (or *_dict), or another --seed; look for odd images in the '
    'data set with dataset_tool.py info --quality.')


def _all_finite(variables):
    floats = [variable for variable in variables if variable.dtype.is_floating]
    return bool(tf.reduce_all([tf.reduce_all(tf.math.is_finite(v)) for v in floats]))


def first_not_finite(state, stats=None):
    """What is not finite: the name of a loss in `stats`, or of a part of a TrainingState; or None.

    A state whose sums of losses or whose weights are not finite must not become a checkpoint: the
    run could not go back to what was before.
    """
    for name in LOSSES:
        if stats is not None and not math.isfinite(stats[name]):
            return name
    if _all_finite(state.variables):
        return None
    for part in ('G', 'D', 'Gs'):
        for name, variable in named_variables(getattr(state, part)).items():
            if not _all_finite([variable]):
                return f'{part}/{name}'
    return 'a loss or a moment of the optimizers'
