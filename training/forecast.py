"""How long a run would take, before it starts: by a trial iteration, or by the CPU's arithmetic."""

from __future__ import annotations

import time

import tensorflow as tf

from runs.log import NoLog
from runs.snapshot_metrics import SnapshotMetrics
from training.arithmetic import CPU_COSTS, costs_of, iteration_work
from training.config import Precision
from training.iterations import Iterations
from training.layers import trained_variables
from training.precision import worthwhile
from training.remaining import Pace
from training.schedule import stages_left, training_schedule
from training.state import TrainingState

DAY = 86400
LONG = 2 * DAY     # what a CPU takes longer for is worth a warning, in seconds
TRIAL_SECONDS = 1  # short iterations are tried until so much time has passed
SIDE = 1024        # of the matrices whose product shows what a CPU can do
REMEDY = '; a GPU takes less, and so does --preset=digits or a lower --resolution or --total_kimg'


def in_words(seconds):
    """'about 26 days', in the largest unit of which there are two."""
    for unit, size in (('years', 365 * DAY), ('months', 30 * DAY), ('days', DAY), ('hours', 3600),
                       ('minutes', 60)):
        if seconds >= 2 * size:
            return f'about {seconds / size:.0f} {unit}'
    return f'about {seconds:.0f} seconds'


def _trial_iterations(config, dataset, replicas, sched):
    """Seconds of one iteration that compiles, then of others, on black images."""
    precision = worthwhile(Precision(config.precision, config.num_fp16_res))
    state = TrainingState(config.G, config.D, precision, replicas.strategy, config.augment)
    iterations = Iterations(state, config, dataset, NoLog(), replicas)
    begun, seconds = time.time(), []
    while len(seconds) < 2 or time.time() - begun < TRIAL_SECONDS:
        start = time.time()
        iterations.try_step(sched)
        trained_variables(state.G)[-1].numpy()  # a GPU answers before it is done
        seconds.append(time.time() - start)
    return seconds


def by_trial(config, dataset, replicas, kimg):
    """How long a run will take from `kimg` on, in words; from a few iterations there.

    Trains networks of its own for them; writes nothing.
    """
    nimg = int(kimg * 1000)
    sched = training_schedule(nimg, config.G.resolution, config.num_gpus, config.schedule)
    has_gpu = bool(tf.config.list_logical_devices('GPU'))
    pace = Pace(config, SnapshotMetrics({}, None, NoLog()), costs_of(has_gpu))
    first, *others = _trial_iterations(config, dataset, replicas, sched)
    images = sched.minibatch * config.D_repeats
    pace.iterated(sched, first, images)
    pace.iterated(sched, sum(others), images * len(others))
    seconds, size = pace.seconds_left(nimg, 0, nimg, 0), sched.resolution
    return (f'{in_words(seconds)} on this machine, without metrics, by a trial at {size}x{size} '
            f'({sum(others) / len(others):.3g} seconds an iteration)'
            + (REMEDY if seconds >= LONG and not has_gpu else ''))


def on_cpu(config, kimg):
    """How long a run will take from `kimg` on with nothing but this CPU, in words; None: not long.

    At once: at the rate of a product of matrices. Counts iterations only.
    """
    matrix, best = tf.random.stateless_normal([SIDE, SIDE], [0, 1]), float('inf')
    for _ in range(4):
        start = time.time()
        tf.matmul(matrix, matrix).numpy()
        best = min(best, time.time() - start)
    stages = stages_left(int(kimg * 1000), int(config.total_kimg * 1000), config.G.resolution,
                         config.num_gpus, config.schedule)
    work = sum(iteration_work(config, sched, CPU_COSTS) * images / sched.minibatch
               for sched, images in stages) / config.D_repeats
    seconds = work * best / (2 * SIDE ** 3)
    return f'{in_words(seconds)} on this CPU{REMEDY}' if seconds >= LONG else None
