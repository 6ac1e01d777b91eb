"""A training of StyleGAN or ProGAN: what its runs have beyond those of any kind."""

from __future__ import annotations

import tensorflow as tf

from runs.snapshot_metrics import SnapshotMetrics
from training import run
from training.arithmetic import costs_of
from training.config import RunConfig
from training.config_json import to_json
from training.dataset import TFRecordDataset
from training.distance import compiled_distance
from training.grid import SampleGrid
from training.iterations import Iterations
from training.memorising import HeldOut
from training.memory import wants_probe
from training.outputs import NoOutputs, Outputs
from training.progress import resume_line, tick_line, tick_stats
from training.remaining import Pace
from training.replicas import Replicas
from training.schedule import training_schedule
from training.state import TrainingState


def new_state(config: RunConfig, log, replicas: Replicas):
    """Fresh networks and optimizers of a run."""
    return run.new_state(lambda *how: TrainingState(config.G, config.D, *how, config.augment),
                         config, log, replicas)


class Run(run.Run):
    """A run that grows through the resolutions."""

    def __init__(self, config: RunConfig, run_dir, dataset, log, metrics, replicas):
        super().__init__(config, new_state(config, log, replicas), run_dir, log, replicas)
        measured = SnapshotMetrics(metrics, run_dir, log)
        self.outputs = Outputs(config, run_dir, self.state, log, SampleGrid(config, dataset),
                               measured) if replicas.is_chief else NoOutputs()
        self.iterations = Iterations(self.state, config, dataset, log, replicas)
        self.Gs_distance = compiled_distance(self.state.G, self.state.Gs)
        self.held_out = HeldOut(self.state, config, dataset)
        self.pace = Pace(config, measured,
                         costs_of(has_gpu=bool(tf.config.list_logical_devices('GPU'))))

    def schedule(self, nimg=None):
        """The Schedule at this moment, or after `nimg` images."""
        return training_schedule(int(self.state.nimg) if nimg is None else nimg,
                                 self.config.G.resolution, self.config.num_gpus,
                                 self.config.schedule)

    def stats(self, sched):
        return {**tick_stats(self.state, sched, self.clock, self.config.total_kimg,
                             self.seconds_left(), self.Gs_distance), **self.held_out.stats(sched)}

    def line(self, stats):
        return tick_line(stats)

    def advice(self, sched, stats):
        return self.held_out.advice(sched, stats)

    def resume_line(self):
        return resume_line(self.state.kimg, self.schedule())

    def probe(self):
        """One step at the last resolution, so that too little memory shows now, not in days."""
        last = self.schedule(self.total_nimg - 1)
        if wants_probe(self.config) and last.resolution > self.schedule().resolution:
            last = last._replace(lod=last.level)
            self.memory.probe(last, lambda: self.iterations.try_step(last), self.log)

    def iterate(self, sched):
        """Iterations at one reading of the schedule; a new stage has fresh optimizers."""
        state = self.state
        same_stage = sched.same_stage(sched._replace(lod=float(state.optimizer_lod)))
        if self.config.reset_opt_for_new_lod and not same_stage:
            state.reset_optimizers()
        state.optimizer_lod.assign(sched.lod)
        super().iterate(sched)


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

    def open_run(log):
        with log.phase('Opening the data set'):
            dataset = TFRecordDataset(config.data, config.G.resolution, config.G.label_size,
                                      verify=False, holdout=config.holdout)
        return Run(config, run_dir, dataset, log, metrics or {}, replicas)

    run.train(open_run, config, to_json(config), run_dir, initial, start_kimg, replicas)
