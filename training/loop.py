"""The training loop: schedule, iterations, ticks, sample grids, snapshots, checkpoints."""

from __future__ import annotations

import contextlib
import math
import os
import time

import tensorflow as tf

from formats.png import save_png
from runs.checkpoints import Checkpoints
from runs.directory import (
    CHECKPOINTS,
    FINAL,
    OPTIONS_FILE,
    remove_old_snapshots,
    save_options,
    snapshot_name,
)
from runs.log import NoLog, RunLog, format_time, memory_gb
from runs.snapshot_metrics import SnapshotMetrics
from runs.stopping import Interrupted, StopSignal
from training import memory, snapshot
from training.cluster import plain_losses
from training.config import Precision, RunConfig
from training.config_json import to_json
from training.dataset import TFRecordDataset
from training.distance import compiled_distance
from training.grid import SampleGrid
from training.iterations import Iterations
from training.layers import copy_weights
from training.precision import worthwhile
from training.progress import tick_line
from training.replicas import Replicas
from training.rollback import ADVICE, MAX_ROLLBACKS, first_not_finite
from training.schedule import training_schedule
from training.state import TrainingState


class Run:
    """One training run: its state, its files, and the clock."""

    def __init__(self, config: RunConfig, run_dir, dataset, log, metrics, replicas):
        self.config, self.run_dir, self.log, self.replicas = config, run_dir, log, replicas
        self.total_nimg = int(config.total_kimg * 1000)
        with log.phase('Building the networks'):
            tf.keras.utils.set_random_seed(config.seed)
            precision = worthwhile(Precision(config.precision, config.num_fp16_res))
            self.state = TrainingState(config.G, config.D, precision, replicas.strategy)
        if precision.name != config.precision:
            log.say(f'--precision={config.precision}: this machine has no arithmetic for it, so '
                    f'it is computed in {precision.name}, which is faster here.')
        if replicas.is_chief:
            self.checkpoints = Checkpoints(self.state, os.path.join(run_dir, CHECKPOINTS),
                                           config.keep_checkpoints, log.say)
            self.grid = SampleGrid(config, dataset)
            self.metrics = SnapshotMetrics(metrics, run_dir, log)
        self.iterations = Iterations(self.state, config, dataset, log, replicas)
        self.Gs_distance = compiled_distance(self.state.G, self.state.Gs)
        self.clock = self.saved_at = time.time()
        self.tick_seconds = self.maintenance = 0.0
        self.tick_images = 0  # those that tick_seconds were spent on

    def schedule(self, nimg=None):
        """The schedule at this moment, or after `nimg` images."""
        return training_schedule(int(self.state.nimg) if nimg is None else nimg,
                                 self.config.G.resolution, self.config.num_gpus,
                                 self.config.schedule)

    def begin(self, initial, start_kimg):
        """Restores the newest checkpoint, or starts (from `initial`, a Snapshot, if given)."""
        if self.restore_latest():
            sched = self.schedule()
            fading = sched.lod - math.floor(sched.lod)
            size = f'{sched.resolution}x{sched.resolution}'
            self.log.say(f'Resuming at kimg {self.kimg:.1f}: {size}, lod {sched.lod:.2f}'
                         + (f' (fading in, {100 * (1 - fading):.0f}%)' if fading else '')
                         + ', networks and optimizers restored.')
            self.log.start_at(self.kimg)
            return
        if initial is not None:
            for source, target in ((initial.G, self.state.G), (initial.D, self.state.D),
                                   (initial.Gs, self.state.Gs)):
                copy_weights(source, target)
        self.state.nimg.assign(int(start_kimg * 1000))
        self.state.tick_start_nimg.assign(self.state.nimg)
        self.replicas.spread(self.state.variables)
        if self.replicas.is_chief:
            self._save_beginning()

    def _save_beginning(self):
        self.log.start_at(self.kimg)
        reals = self.grid.real_picture()
        self.save_picture('reals.png', reals)
        self.log.images('reals', reals, self.state.nimg)
        self.save_fakes(self.schedule())
        self.checkpoints.save()  # on a full disk, better to stop now than to find nothing later

    def probe(self):
        """One step at the last resolution, so that too little memory shows now, not in days."""
        last = self.schedule(self.total_nimg - 1)
        if memory.wants_probe(self.config) and last.resolution > self.schedule().resolution:
            last = last._replace(lod=math.floor(last.lod))
            with self._memory_explained('the memory probe (--noprobe leaves it out)', last):
                memory.probe(self.state, lambda: self.iterations.try_step(last),
                             self._share(last), self.log)

    def _share(self, sched):
        return memory.share_of(sched, self.config)

    def _memory_explained(self, doing, sched, save=False):
        """Running out of memory inside this context is one ValueError, after a checkpoint.

        save: whether the state is whole wherever that happens; if not, it is not written.
        """
        trained = self.state.iteration.numpy()  # now: a step that fails may have been counted

        def what_is_saved():
            if not trained:
                return 'Nothing has been trained yet.'
            if save:
                self.save_checkpoint()
            if not self.replicas.is_chief:
                return 'Go on with --resume=latest from what the chief has saved.'
            return (f'Saved: kimg {self.checkpoints.newest_kimg():.1f}; go on with '
                    '--resume=latest.')

        return memory.explained(doing, self._share(sched), what_is_saved)

    def restore_latest(self):
        """Restores the newest checkpoint on all workers. Returns False where there is none."""
        found = self.replicas.is_chief and self.checkpoints.restore_latest()
        found = self.replicas.any_worker(found)
        if found:
            self.replicas.spread(self.state.variables)
        return found

    def newest_kimg(self):
        """Thousands of images at the newest checkpoint; the chief has written it by now."""
        newest = self.checkpoints.newest_kimg() if self.replicas.is_chief else 0.0
        return float(self.replicas.from_chief(tf.constant(newest, tf.float64)))

    @property
    def kimg(self):
        """Thousands of images shown."""
        return int(self.state.nimg) / 1000

    def save_fakes(self, sched):
        """fakes<kimg>.png."""
        with self._memory_explained('drawing the samples', sched, save=True):
            picture = self.grid.fake_picture(self.state.Gs, sched.lod, self._share(sched).images)
        self.save_picture(f'fakes{int(self.kimg):06d}.png', picture)
        self.log.images('fakes', picture, self.state.nimg)

    def save_picture(self, name, picture):
        """A picture, uint8 [H, W, C], if the disk has room for it."""
        self.log.disk.write(name, lambda: save_png(os.path.join(self.run_dir, name), picture))

    def save_networks(self, name, sched):
        """A network file; returns its path, or None where the disk is full."""
        path, state = os.path.join(self.run_dir, name), self.state
        if not self.log.disk.write(name, lambda: snapshot.save(path, state.G, state.D, state.Gs,
                                                               self.kimg, sched.lod)):
            return None
        self.log.say(f'Wrote {path} ({os.path.getsize(path) / 2**20:.1f} MB)')
        return path

    def save_snapshot(self, sched):
        """A network snapshot, measured; those that are more than enough are removed."""
        path = self.save_networks(snapshot_name(self.kimg), sched)
        if path is not None:
            # Those of a whole tick: after a start within one, its seconds are of the rest only.
            seconds = self.tick_seconds * max(1, 1000 * sched.tick_kimg / self.tick_images)
            measured = snapshot.Snapshot(self.state.G, self.state.D, self.state.Gs, self.kimg,
                                         sched.lod)
            self.metrics.measure(measured, path, math.floor(sched.lod), seconds)
            remove_old_snapshots(self.run_dir, self.config.keep_snapshots, self.log.say)

    def save_checkpoint(self):
        """The whole state, the time spent so far with it; goes back if it is not finite."""
        broken = first_not_finite(self.state)
        if broken:
            self.roll_back(broken)
            return
        self.saved_at = now = time.time()
        self.state.seconds.assign_add(now - self.clock)
        self.clock = now
        if self.replicas.is_chief:
            self.log.disk.write('the checkpoint', self.checkpoints.save)

    def roll_back(self, broken):
        """Goes on from the newest checkpoint with other random numbers, because of `broken`.

        Raises:
            ValueError: it did so MAX_ROLLBACKS times already.
        """
        what = f'{broken} is not finite at kimg {self.kimg:.1f}'
        rollbacks = int(self.state.rollbacks) + 1
        seconds = float(self.state.seconds)
        if rollbacks > MAX_ROLLBACKS:
            raise ValueError(f'{what}, {ADVICE}')
        if not self.restore_latest():
            raise ValueError(f'{what}, and there is no checkpoint to go back to.')
        self.state.rollbacks.assign(rollbacks)
        self.state.seconds.assign(seconds)
        self.log.say(f'{what}: back to kimg {self.kimg:.1f}, with other random numbers from here on'
                     f' (time {rollbacks} of at most {MAX_ROLLBACKS}).')
        self.log.start_at(self.kimg)
        self.iterations.reopen_stream()
        self.tick_seconds, self.tick_images = 0.0, 0
        self.save_checkpoint()

    def tick(self, sched, done):
        """What happens every tick_kimg: numbers, pictures, snapshots, a checkpoint."""
        tick = int(self.state.tick) + 1
        stats = self._take_stats(sched, tick)
        start = time.time()
        self.log.tick(tick_line(stats), stats)
        broken = first_not_finite(self.state, stats)
        if broken:
            self.roll_back(broken)
            return
        if self.config.histograms:
            self.log.histograms(self.state.trained_weights(), self.state.nimg)
        self.state.tick.assign_add(1)
        self.state.tick_start_nimg.assign(self.state.nimg)
        if self.replicas.is_chief:
            self._show(sched, tick, done)
        if done or tick % self.config.checkpoint_ticks == 0:
            self.save_checkpoint()
        self.maintenance = time.time() - start
        self.tick_seconds, self.tick_images = 0.0, 0

    def _show(self, sched, tick, done):
        """This tick's pictures and network snapshot, as far as they are due."""
        config = self.config
        if done or (config.image_snapshot_ticks and tick % config.image_snapshot_ticks == 0):
            self.save_fakes(sched)
        if done or tick == 1 or (config.network_snapshot_ticks
                                 and tick % config.network_snapshot_ticks == 0):
            self.save_snapshot(sched)

    def _take_stats(self, sched, tick):
        total_seconds = float(self.state.seconds) + time.time() - self.clock
        sec_per_kimg = 1000 * self.tick_seconds / self.tick_images
        gpumem, cpumem = memory_gb()
        remaining = max(self.config.total_kimg - self.kimg, 0) * sec_per_kimg
        return {'tick': tick, 'kimg': self.kimg, 'nimg': int(self.state.nimg), 'lod': sched.lod,
                'resolution': sched.resolution, 'minibatch': sched.minibatch,
                'G_lrate': sched.G_lrate, 'D_lrate': sched.D_lrate, **self.state.take_stats(),
                'loss_scale_G': float(self.state.G_opt.loss_scale.numpy()),
                'loss_scale_D': float(self.state.D_opt.loss_scale.numpy()),
                'Gs_distance': float(self.Gs_distance()),
                'images_per_sec': self.tick_images / self.tick_seconds,
                'time': format_time(total_seconds), 'seconds': total_seconds,
                'sec_per_tick': self.tick_seconds, 'sec_per_kimg': sec_per_kimg,
                'maintenance_sec': self.maintenance, 'gpumem_gb': gpumem, 'cpumem_gb': cpumem,
                'percent': 100 * self.kimg / self.config.total_kimg, 'eta': format_time(remaining)}

    def go(self, stop):
        """Iterations and ticks until total_kimg, or until `stop` has a signal's number."""
        while int(self.state.nimg) < self.total_nimg:
            sched = self.schedule()
            previous = float(self.state.optimizer_lod)
            if (math.floor(sched.lod), math.ceil(sched.lod)) != (math.floor(previous),
                                                                 math.ceil(previous)):
                self.state.reset_optimizers()
            self.state.optimizer_lod.assign(sched.lod)
            start, nimg = time.time(), int(self.state.nimg)
            with self._memory_explained('a training step', sched):
                self.iterations.run(sched, self.config.minibatch_repeats)
            self.tick_seconds += time.time() - start
            self.tick_images += int(self.state.nimg) - nimg
            self.log.progress(self.kimg)
            done = int(self.state.nimg) >= self.total_nimg
            since_tick = int(self.state.nimg) - int(self.state.tick_start_nimg)
            if done or since_tick >= sched.tick_kimg * 1000:
                self.tick(sched, done)
            if self.replicas.any_worker(stop.number is not None) and not done:
                self.save_checkpoint()
                raise Interrupted(f'Stopped at kimg {self.kimg:.1f}. Run the same command again '
                                  'to go on from the newest checkpoint, '
                                  f'kimg {self.newest_kimg():.1f}.')
            minutes = self.config.checkpoint_minutes
            is_old = minutes and self.replicas.any_worker(
                time.time() - self.saved_at >= 60 * minutes)
            # The first step of a new resolution needs more memory than any before.
            if is_old or self.schedule().resolution > sched.resolution:
                self.save_checkpoint()


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
        if replicas.is_chief:
            log.disk.write(OPTIONS_FILE, lambda: save_options(run_dir, to_json(config)))
        with log.phase('Opening the data set'):
            dataset = TFRecordDataset(config.data, config.G.resolution, config.G.label_size,
                                      verify=False)
        with plain_losses(replicas):
            run = Run(config, run_dir, dataset, log, metrics or {}, replicas)
            run.begin(initial, start_kimg)
            run.probe()
        lost = plain_losses(replicas, lambda: f'at kimg {run.kimg:.1f}')
        with StopSignal() as stop, contextlib.closing(run.iterations), lost:
            run.go(stop)
            if replicas.is_chief and run.save_networks(FINAL, run.schedule()) is None:
                raise OSError(f'{run_dir}: trained to the end, but there is no room for {FINAL}. '
                              'Free some space, then run the same command again.')
            replicas.wait()
    finally:
        log.close()
