"""The training loop: iterations and ticks, from the first checkpoint to the final network."""

from __future__ import annotations

import contextlib
import os

import tensorflow as tf

from runs.checkpoints import Checkpoints, NoCheckpoints
from runs.clock import Clock
from runs.directory import CHECKPOINTS, OPTIONS_FILE, save_options
from runs.log import NoLog, RunLog
from runs.snapshot_metrics import SnapshotMetrics
from runs.stopping import Interrupted, StopSignal
from training.arithmetic import costs_of
from training.cluster import plain_losses
from training.config import Precision, RunConfig
from training.config_json import to_json
from training.dataset import TFRecordDataset
from training.distance import compiled_distance
from training.grid import SampleGrid
from training.iterations import Iterations
from training.layers import copy_weights
from training.memory import RunMemory, wants_probe
from training.outputs import NoOutputs, Outputs
from training.precision import worthwhile
from training.progress import resume_line, tick_line, tick_stats
from training.remaining import Pace
from training.replicas import Replicas
from training.rollback import Recovery, first_not_finite
from training.schedule import training_schedule
from training.state import TrainingState


def new_state(config: RunConfig, log, replicas: Replicas):
    """Fresh networks and optimizers of a run, in the arithmetic that this machine has."""
    with log.phase('Building the networks'):
        tf.keras.utils.set_random_seed(config.seed)
        precision = worthwhile(Precision(config.precision, config.num_fp16_res))
        state = TrainingState(config.G, config.D, precision, replicas.strategy)
    if precision.name != config.precision:
        log.say(f'--precision={config.precision}: this machine has no arithmetic for it, so '
                f'it is computed in {precision.name}, which is faster here.')
    return state


class Run:
    """One training run: its state, and what is done with it between two iterations."""

    def __init__(self, config: RunConfig, run_dir, dataset, log, metrics, replicas):
        self.config, self.log, self.replicas = config, log, replicas
        self.state = new_state(config, log, replicas)
        # Files: the chief's alone.
        checkpoints, self.outputs = NoCheckpoints(), NoOutputs()
        measured = SnapshotMetrics(metrics, run_dir, log)
        if replicas.is_chief:
            checkpoints = Checkpoints(self.state, os.path.join(run_dir, CHECKPOINTS),
                                      config.keep_checkpoints, log.say)
            self.outputs = Outputs(config, run_dir, self.state, log, SampleGrid(config, dataset),
                                   measured)
        # What every worker does.
        self.iterations = Iterations(self.state, config, dataset, log, replicas)
        self.Gs_distance = compiled_distance(self.state.G, self.state.Gs)
        self.clock = Clock()
        self.pace = Pace(config, measured,
                         costs_of(has_gpu=bool(tf.config.list_logical_devices('GPU'))))
        self.recovery = Recovery(self.state, checkpoints, self.clock, log, replicas)
        self.memory = RunMemory(config, self.state, self.recovery)

    @property
    def total_nimg(self):
        """Images shown at the end of training."""
        return int(self.config.total_kimg * 1000)

    def schedule(self, nimg=None):
        """The schedule at this moment, or after `nimg` images."""
        return training_schedule(int(self.state.nimg) if nimg is None else nimg,
                                 self.config.G.resolution, self.config.num_gpus,
                                 self.config.schedule)

    def seconds_left(self):
        """How long the run will probably still take; only after an iteration."""
        state = self.state
        return self.pace.seconds_left(int(state.nimg), int(state.tick), int(state.tick_start_nimg),
                                      float(state.seconds) + self.clock.uncounted())

    def begin(self, initial, start_kimg):
        """Restores the newest checkpoint, or starts (from `initial`, a Snapshot, if given)."""
        state = self.state
        if self.recovery.restore():
            self.log.say(resume_line(state.kimg, self.schedule()))
            self.log.start_at(state.kimg)
            return
        # The weights and the place in the schedule, the same on all workers.
        if initial is not None:
            for part in ('G', 'D', 'Gs'):
                copy_weights(getattr(initial, part), getattr(state, part))
        state.nimg.assign(int(start_kimg * 1000))
        state.tick_start_nimg.assign(state.nimg)
        self.replicas.spread(state.variables)
        # The first files.
        self.log.start_at(state.kimg)
        self.outputs.begin(self.schedule(), self.memory)
        self.recovery.save_beginning()

    def probe(self):
        """One step at the last resolution, so that too little memory shows now, not in days."""
        last = self.schedule(self.total_nimg - 1)
        if wants_probe(self.config) and last.resolution > self.schedule().resolution:
            last = last._replace(lod=last.level)
            self.memory.probe(last, lambda: self.iterations.try_step(last), self.log)

    def iterate(self, sched):
        """Iterations at one reading of the schedule; a new stage begins with fresh optimizers."""
        state = self.state
        if not sched.same_stage(sched._replace(lod=float(state.optimizer_lod))):
            state.reset_optimizers()
        state.optimizer_lod.assign(sched.lod)
        with self.clock.iterating(state.nimg), self.memory.explained('a training step', sched):
            self.iterations.run(sched, self.config.minibatch_repeats)
        self.pace.iterated(sched, self.clock.last_seconds, self.clock.last_images)
        self.log.progress(state.kimg, self.seconds_left)

    def tick(self, sched, done):
        """What happens every tick_kimg: numbers, pictures, snapshots, a checkpoint."""
        state = self.state
        stats = tick_stats(state, sched, self.clock, self.config.total_kimg, self.seconds_left(),
                           self.Gs_distance)
        with self.clock.maintaining():
            # Numbers. Nothing is kept of a tick after which they are not finite.
            self.log.tick(tick_line(stats), stats)
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
                self.tick(sched, done)
            if not done:
                self.stop_if_asked(stop)
            self.save_if_due(sched)


def train(config: RunConfig, run_dir, initial=None, start_kimg=0.0, metrics=None, replicas=None):
    """Trains in `run_dir` until total_kimg; goes on from the newest checkpoint if there is one.

    Args:
        config: the whole run.
        run_dir: an existing directory; None on workers other than the chief.
        initial: a Snapshot whose weights a new run starts from; None = fresh weights.
        start_kimg: where in the schedule a new run starts.
        metrics: {name: SnapshotMetric}, measured after each network snapshot; the best one by
            the first of them is kept.
        replicas: config.num_gpus devices that share the minibatch; None = one, the first GPU or the
            CPU.
    Raises:
        Interrupted: after SIGINT or SIGTERM, with a checkpoint written.
        ValueError: losses or weights are not finite, again and again, memory ran out, the data are
            damaged, or another worker was lost.
    """
    replicas = replicas or Replicas()
    log = RunLog(run_dir, config.total_kimg) if replicas.is_chief else NoLog()
    log.options(to_json(config))
    try:
        # Before the first image: all that can go wrong early does so here.
        log.disk.write(OPTIONS_FILE, lambda: save_options(run_dir, to_json(config)))
        with log.phase('Opening the data set'):
            dataset = TFRecordDataset(config.data, config.G.resolution, config.G.label_size,
                                      verify=False)
        with plain_losses(replicas):
            run = Run(config, run_dir, dataset, log, metrics or {}, replicas)
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
