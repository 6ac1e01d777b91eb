"""How long a translation run would take, before it starts: by a trial on the real images."""

from __future__ import annotations

import contextlib
import time

from runs.log import NoLog
from training.forecast import LONG, in_words
from translation.iterations import Iterations
from translation.loop import new_state, schedule_of

TRIALS = 3   # iterations that are timed, after one that compiles


def by_trial(config, images, replicas, kimg, mask_fn=None):
    """How long a run will take from `kimg` on, in words; writes nothing."""
    log, sched = NoLog(), schedule_of(config)
    state = new_state(config, log, replicas)
    with contextlib.closing(Iterations(state, config, images, log, replicas, mask_fn)) as trial:
        trial.run(sched, 1)
        start = time.time()
        trial.run(sched, TRIALS)
        state.take_stats()   # a GPU answers before it is done
        seconds = (time.time() - start) / TRIALS
    total = seconds * (config.total_kimg - kimg) * 1000 / config.batch
    remedy = ('; a GPU takes less, and so does --preset=small or a lower --img_size or '
              '--total_kimg' if total >= LONG else '')
    return (f'{in_words(total)} on this machine, without metrics, by a trial ({seconds:.3g} '
            f'seconds an iteration){remedy}')
