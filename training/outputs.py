"""A run's files for people: grids of images, network files, metrics of each snapshot."""

from __future__ import annotations

import os

from formats.files import write_atomically
from formats.png import encoded
from runs.directory import FINAL, remove_old_snapshots, snapshot_name
from runs.snapshot_metrics import SnapshotMetrics
from training import snapshot
from training.grid import SampleGrid
from training.schedule import snapshot_due


class Outputs:
    """Writes them into a run's directory, as far as the disk has room."""

    def __init__(self, config, run_dir, state, log, grid: SampleGrid, metrics: SnapshotMetrics):
        self.config, self.run_dir, self.state, self.log = config, run_dir, state, log
        self.grid, self.metrics = grid, metrics

    def begin(self, sched, memory):
        """reals.png, and fakes*.png of the untrained network. memory: the run's RunMemory."""
        self._save_grid('reals', 'reals.png', self.grid.real_picture())
        self._save_fakes(sched, memory)

    def tick(self, sched, done, memory, run_seconds):
        """This tick's histograms, pictures and network snapshot, as far as they are due.

        done: whether it is the last tick; run_seconds: of the run so far, all starts together.
        """
        config, tick = self.config, int(self.state.tick)
        if config.histograms:
            self.log.histograms(self.state.trained_weights(), self.state.nimg)
        if done or (config.image_snapshot_ticks and tick % config.image_snapshot_ticks == 0):
            self._save_fakes(sched, memory)
        if snapshot_due(tick, config.network_snapshot_ticks, done):
            self._save_snapshot(sched, run_seconds)

    def end(self, sched):
        """The final network file; OSError where there is no room for it."""
        if self._save_networks(FINAL, sched) is None:
            raise OSError(f'{self.run_dir}: trained to the end, but there is no room for {FINAL}. '
                          'Free some space, then run the same command again.')

    def _save_fakes(self, sched, memory):
        """What is drawn of the network as it is."""
        with memory.explained('drawing the samples', sched, is_whole=True):
            picture = self.grid.fake_picture(self.state.Gs, sched.lod, memory.share(sched).images)
        self._save_grid('fakes', f'fakes{int(self.state.kimg):06d}.png', picture)

    def _save_grid(self, name, file_name, picture):
        """A picture, uint8 [H, W, C], as a file and for TensorBoard."""
        png, path = encoded(picture, '.png'), os.path.join(self.run_dir, file_name)
        self.log.disk.write(file_name, lambda: write_atomically(path, png, durable=False))
        self.log.picture(name, png, picture.shape, self.state.nimg)

    def _held(self, sched):
        """What a network file of this moment holds."""
        state = self.state
        return snapshot.Snapshot(state.G, state.D, state.Gs, state.kimg, sched.lod)

    def _write_networks(self, path, sched):
        snapshot.save(path, *self._held(sched))

    def _save_networks(self, name, sched):
        """A network file; returns its path, or None where the disk is full."""
        path = os.path.join(self.run_dir, name)
        if not self.log.disk.write(name, lambda: self._write_networks(path, sched)):
            return None
        self.log.say(f'Wrote {path} ({os.path.getsize(path) / 2**20:.1f} MB)')
        return path

    def _save_snapshot(self, sched, run_seconds):
        """A network snapshot, measured; those that are more than enough are removed."""
        state = self.state
        path = self._save_networks(snapshot_name(state.kimg), sched)
        if path is not None:
            self.metrics.measure(self._held(sched), path, run_seconds)
            remove_old_snapshots(self.run_dir, self.config.keep_snapshots, self.log.say)


class NoOutputs:
    """What a worker that is not the chief has in place of Outputs: it leaves nothing."""

    def begin(self, sched, memory):
        pass

    def tick(self, sched, done, memory, run_seconds):
        pass

    def end(self, sched):
        pass
