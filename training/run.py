"""What runs of every kind do: iterations, ticks, checkpoints, until the end or a signal."""

from __future__ import annotations

import abc
import contextlib
import os

import tensorflow as tf

from runs.checkpoints import Checkpoints, NoCheckpoints
from runs.clock import Clock
from runs.directory import CHECKPOINTS, OPTIONS_FILE, save_options
from runs.log import NoLog, RunLog
from runs.stopping import Interrupted, StopSignal
from training.cluster import plain_losses
from training.config import Precision
from training.layers import copy_weights
from training.memory import RunMemory
from training.precision import allow_tf32, gain_of_tf32, has_tf32, worthwhile
from training.rollback import Recovery, first_not_finite


def new_state(make, config, log, replicas):
    """The fresh state of a run, in the arithmetic that this machine has and the run allows.

    make: (Precision, tf.distribute strategy) -> RunState.
    """
    with log.phase('Building the networks'):
        tf.keras.utils.set_random_seed(config.seed)
        precision = worthwhile(Precision(config.precision, config.num_fp16_res))
        state = make(precision, replicas.strategy)
    if precision.name != config.precision:
        log.say(f'--precision={config.precision}: this machine has no arithmetic for it, so '
                f'it is computed in {precision.name}, which is faster here.')
    if has_tf32() and not config.allow_tf32:
        log.say(f'float32 is float32 here; with --allow_tf32, large convolutions would be '
                f'{gain_of_tf32():.1f} times as fast, their inputs rounded to 10 bits.')
    allow_tf32(config.allow_tf32)
    return state


class Run(abc.ABC):
    """A training run: its parts, and what is done with them between two iterations.

    Made of the parts that are alike in every kind of run. A subclass adds `iterations`, `outputs`
    and `pace`, and says what its schedule is, what it reports and what a line of that looks like.
    """

    def __init__(self, config, state, run_dir, log, replicas):
        self.config, self.state, self.log, self.replicas = config, state, log, replicas
        checkpoints = NoCheckpoints()  # files: the chief's alone
        if replicas.is_chief:
            checkpoints = Checkpoints(state, os.path.join(run_dir, CHECKPOINTS),
                                      config.keep_checkpoints, log.say)
        self.clock = Clock()
        self.recovery = Recovery(state, checkpoints, self.clock, log, replicas)
        self.memory = RunMemory(config, state, self.recovery)

    # What a kind of run defines.

    @abc.abstractmethod
    def schedule(self, nimg=None):
        """What holds at this moment, or after `nimg` images: resolution, minibatch, tick_kimg."""

    @abc.abstractmethod
    def stats(self, sched):
        """{name: number or text} of this tick, a line of stats.jsonl; the sums start anew."""

    @abc.abstractmethod
    def line(self, stats):
        """The progress line."""

    def advice(self, sched, stats):
        """Lines for people on what a tick's `stats` say is going wrong."""
        return ()

    @abc.abstractmethod
    def resume_line(self):
        """Where a run resumes, in words."""

    def probe(self):  # noqa: B027 (most kinds have nothing to try)
        """Tries what needs the most memory, so that too little shows now, not in days."""

    @property
    def total_nimg(self):
        """Images shown at the end of training."""
        return int(self.config.total_kimg * 1000)

    def seconds_left(self):
        """How long the run will probably still take; only after an iteration."""
        state = self.state
        return self.pace.seconds_left(int(state.nimg), int(state.tick), int(state.tick_start_nimg),
                                      float(state.seconds) + self.clock.uncounted())

    def begin(self, initial, start_kimg):
        """Restores the newest checkpoint, or starts.

        initial: what has the weights, as attributes of the state's names; None = fresh ones.
        """
        state = self.state
        if self.recovery.restore():
            self.log.say(self.resume_line())
            self.log.start_at(state.kimg)
            return
        # The weights and the place in the schedule, the same on all workers.
        if initial is not None:
            for part in state.NETWORKS:
                copy_weights(getattr(initial, part), getattr(state, part))
        state.nimg.assign(int(start_kimg * 1000))
        state.tick_start_nimg.assign(state.nimg)
        self.replicas.spread(state.variables)
        # The first files.
        self.log.start_at(state.kimg)
        self.outputs.begin(self.schedule(), self.memory)
        self.recovery.save_beginning()

    def iterate(self, sched):
        """Iterations at one reading of the schedule."""
        with self.clock.iterating(self.state.nimg), self.memory.explained('a training step', sched):
            self.iterations.run(sched, self.config.minibatch_repeats)
        self.pace.iterated(sched, self.clock.last_seconds, self.clock.last_images)
        self.log.progress(self.state.kimg, self.seconds_left)

    def wait(self, sched):
        """Until the device has done what iterations gave it, so that a tick's seconds are whole."""
        with self.clock.iterating(self.state.nimg), self.memory.explained('a training step', sched):
            self.state.wait()
        self.pace.iterated(sched, self.clock.last_seconds, images=0)

    def tick(self, sched, done):
        """What happens every tick_kimg: numbers, pictures, snapshots, a checkpoint."""
        state = self.state
        stats = self.stats(sched)
        with self.clock.maintaining():
            # Numbers. Nothing is kept of a tick after which they are not finite.
            self.log.tick(self.line(stats), stats)
            for line in self.advice(sched, stats):
                self.log.say(line)
            broken = first_not_finite(state, stats)
            if broken:
                self.recovery.go_back(broken)
                return
            state.tick.assign_add(1)
            state.tick_start_nimg.assign(state.nimg)
            # Files.
            self.outputs.tick(sched, done, self.memory, stats['seconds'])
            if done or int(state.tick) % self.config.checkpoint_ticks == 0:
                self.recovery.save()
        self.pace.maintained(int(state.tick), done, self.clock.maintenance)

    def stop_if_asked(self, stop):
        """Saves and raises Interrupted where any worker has been sent a signal."""
        if self.replicas.any_worker(stop.number is not None):
            self.recovery.save()
            raise Interrupted(f'Stopped at kimg {self.state.kimg:.1f}. Run the same command again '
                              'to resume from the newest checkpoint, '
                              f'kimg {self.recovery.newest_kimg():.1f}.')

    def save_if_due(self, sched):
        """A checkpoint within a tick: the last one is old, or a new resolution comes after `sched`.

        The first step of a new resolution needs more memory than any before.
        """
        minutes = self.config.checkpoint_minutes
        is_old = minutes and self.replicas.any_worker(self.clock.uncounted() >= 60 * minutes)
        if is_old or self.schedule().resolution > sched.resolution:
            self.recovery.save()

    def go(self, stop):
        """Iterations and ticks until total_kimg, or until `stop` has a signal's number."""
        state = self.state
        while int(state.nimg) < self.total_nimg:
            sched = self.schedule()
            self.iterate(sched)
            done = int(state.nimg) >= self.total_nimg
            since_tick = int(state.nimg) - int(state.tick_start_nimg)
            if done or since_tick >= 1000 * sched.tick_kimg:
                self.wait(sched)
                self.tick(sched, done)
            if not done:
                self.stop_if_asked(stop)
            self.save_if_due(sched)


def train(open_run, config, options, run_dir, initial, start_kimg, replicas):
    """Trains in `run_dir` to the end; goes on from the newest checkpoint if there is one.

    Args:
        open_run: a RunLog -> Run; opens the data.
        config: the whole run; options: the same as the text of training_options.json.
        run_dir: an existing directory; None on workers other than the chief.
        initial, start_kimg: as `Run.begin` takes them.
    Raises:
        Interrupted: after SIGINT or SIGTERM, with a checkpoint written.
        ValueError: losses or weights are not finite, again and again, memory ran out, the data are
            damaged, or another worker was lost.
    """
    log = RunLog(run_dir, config.total_kimg) if replicas.is_chief else NoLog()
    log.options(options)
    try:
        # Before the first image: all that can go wrong early does so here.
        log.disk.write(OPTIONS_FILE, lambda: save_options(run_dir, options))
        with plain_losses(replicas):
            run = open_run(log)
            run.begin(initial, start_kimg)
            run.probe()
        # Training, to the final network file; no worker leaves before the chief has written it.
        lost = plain_losses(replicas, lambda: f'at kimg {run.state.kimg:.1f}')
        with StopSignal() as stop, contextlib.closing(run.iterations), lost:
            run.go(stop)
            run.outputs.end(run.schedule())
            replicas.wait()
    finally:
        log.close()
