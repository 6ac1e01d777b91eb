"""A training of a translation network: what its runs have beyond those of any kind."""

from __future__ import annotations

from runs.snapshot_metrics import SnapshotMetrics
from training import run
from training.outputs import NoOutputs
from training.progress import TIMES, timing_stats
from training.remaining import Pace
from training.replicas import Replicas
from translation import data
from translation.domain_sets import in_order_of
from translation.iterations import Iterations, Schedule
from translation.outputs import Outputs
from translation.run_config import TranslationRunConfig, to_json
from translation.state import TranslationState


def opened(config: TranslationRunConfig, check=True):
    """(DomainImages to train with, to validate with) of a run.

    check: decode every image of a folder now.
    """
    images = data.open_images(config.data, check)
    if config.val is None:
        return data.held_out(images, config.holdout)
    val = data.open_images(config.val, check)
    data.check_validation(images, val)
    return images, in_order_of(images.domains, val, 'val')


def schedule_of(config):
    """The Schedule of a run, the same from beginning to end."""
    return Schedule(config.networks.img_size, config.batch, config.tick_kimg)


def new_state(config, log, replicas):
    """Fresh networks and optimizers of a run."""
    return run.new_state(lambda *how: TranslationState(config.networks, *how), config, log,
                         replicas)


class FlatPace(Pace):
    """The time left of a run whose iterations are all alike."""

    def __init__(self, config, metrics):
        super().__init__(config, metrics, None)

    def _work(self, sched, images):
        count = images / sched.minibatch
        return count, count

    def _stages(self, nimg):
        return [(schedule_of(self.config), int(self.config.total_kimg * 1000) - nimg)]


class Run(run.Run):
    """A run of StarGAN v2."""

    def __init__(self, config, run_dir, images, val, log, metrics, replicas, mask_fn=None):
        super().__init__(config, new_state(config, log, replicas), run_dir, log, replicas)
        measured = SnapshotMetrics(metrics, run_dir, log)
        self.outputs = Outputs(config, run_dir, self.state, log, val, measured, images.domains,
                               mask_fn) if replicas.is_chief else NoOutputs()
        self.iterations = Iterations(self.state, config, images, log, replicas, mask_fn)
        self.pace = FlatPace(config, measured)

    def schedule(self, nimg=None):
        return schedule_of(self.config)

    def stats(self, sched):
        state, config = self.state, self.config
        return {'tick': int(state.tick) + 1, 'kimg': state.kimg, 'nimg': int(state.nimg),
                'iteration': int(state.nimg) // config.batch, 'resolution': sched.resolution,
                'minibatch': sched.minibatch, **state.take_stats(),
                **timing_stats(state, self.clock, config.total_kimg, self.seconds_left())}

    def line(self, stats):
        losses = '  '.join(f'{name} {stats[name]:.3f}' for name in (
            'D/latent_real', 'D/latent_fake', 'G/latent_sty', 'G/latent_ds', 'G/latent_cyc'))
        return (f'tick {stats["tick"]:<5d} kimg {stats["kimg"]:<8.1f} ' + TIMES.format(**stats)
                + losses + f'  images/s {stats["images_per_sec"]:.1f}')

    def resume_line(self):
        return (f'Resuming at kimg {self.state.kimg:.1f}, iteration '
                f'{int(self.state.nimg) // self.config.batch}: networks and optimizers restored.')


def train(config, run_dir, images, val, initial=None, start_kimg=0.0, metrics=None, replicas=None,
          mask_fn=None):
    """Trains in `run_dir` until total_kimg; goes on from the newest checkpoint if there is one.

    Args:
        config: TranslationRunConfig.
        images, val: DomainImages, as `opened` gives them.
        initial: Snapshot whose weights a new run starts from; None = fresh weights.
        metrics, replicas: as for training.loop.train.
        mask_fn: images -> masks, for networks with w_hpf; None = no masks.
    Raises:
        As training.run.train.
    """
    replicas = replicas or Replicas()
    run.train(lambda log: Run(config, run_dir, images, val, log, metrics or {}, replicas, mask_fn),
              config, to_json(config), run_dir, initial, start_kimg, replicas)
