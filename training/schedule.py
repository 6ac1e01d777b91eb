"""From the number of images shown to lod, resolution, minibatch and learning rates. Pure Python."""

from __future__ import annotations

import math
from typing import NamedTuple

from training.config import ScheduleConfig


class Schedule(NamedTuple):
    """What holds at one moment of training."""
    lod: float         # level of detail: 0 = full resolution; the fraction is what is blended in
    resolution: int    # pixels: 2^(R - floor(lod))
    minibatch: int     # images over all replicas
    G_lrate: float
    D_lrate: float
    tick_kimg: float   # thousands of images between two progress lines

    @property
    def level(self) -> int:
        """floor(lod): which layers a trace has, 0 = all of them."""
        return int(math.floor(self.lod))

    @property
    def alpha(self) -> float:
        """lod - level, in [0, 1): how much of the next coarser resolution is blended in."""
        return self.lod - self.level

    def same_stage(self, other: Schedule) -> bool:
        """Whether both are within the same fade, or both at the same whole lod."""
        return (self.level, math.ceil(self.lod)) == (other.level, math.ceil(other.lod))


def training_schedule(nimg: int, resolution: int, num_replicas: int,
                      config: ScheduleConfig) -> Schedule:
    """The schedule after `nimg` images (spec section 6; Karras et al. 2017, section 2).

    Args:
        nimg: images shown so far, at least 0.
        resolution: full resolution of the data set, pixels.
        num_replicas: devices that share the minibatch.
    """
    kimg = nimg / 1000.0
    lod = _lod(kimg, resolution, config)
    current = 2 ** (int(math.log2(resolution)) - math.floor(lod))
    rampup = min(kimg / config.lrate_rampup_kimg, 1.0) if config.lrate_rampup_kimg > 0 else 1.0
    return Schedule(
        lod=lod, resolution=current,
        minibatch=_minibatch(current, num_replicas, config),
        G_lrate=dict(config.G_lrate_dict).get(current, config.G_lrate_base) * rampup,
        D_lrate=dict(config.D_lrate_dict).get(current, config.D_lrate_base) * rampup,
        tick_kimg=dict(config.tick_kimg_dict).get(current, config.tick_kimg_base))


def stages_left(nimg, total_nimg, resolution, num_replicas, config):
    """[(Schedule in its middle, images)] of each fade and each whole lod until `total_nimg`.

    Args:
        nimg: images shown so far; the others as in `training_schedule`.
    """
    training = int(config.lod_training_kimg * 1000)
    phase = training + int(config.lod_transition_kimg * 1000)
    phases = int(math.log2(resolution)) - int(math.log2(config.lod_initial_resolution))
    edges = {edge for number in range(phases)
             for edge in (number * phase + training, (number + 1) * phase)
             if nimg < edge < total_nimg}
    edges = sorted({nimg, total_nimg} | edges) if nimg < total_nimg else []
    return [(training_schedule((start + end) // 2, resolution, num_replicas, config), end - start)
            for start, end in zip(edges, edges[1:])]


def full_resolution_kimg(resolution: int, config: ScheduleConfig) -> float:
    """The first kimg that is wholly at full resolution: no fade left."""
    phases = int(math.log2(resolution)) - int(math.log2(config.lod_initial_resolution))
    return max(phases, 0) * (config.lod_training_kimg + config.lod_transition_kimg)


def fade_kimg(resolution: int, config: ScheduleConfig) -> float:
    """The kimg at which `resolution` begins to fade in; it is above lod_initial_resolution."""
    phases = int(math.log2(resolution)) - int(math.log2(config.lod_initial_resolution))
    return (phases * (config.lod_training_kimg + config.lod_transition_kimg)
            - config.lod_transition_kimg)


def snapshot_due(tick, every, done):
    """Whether a network snapshot follows tick number `tick`: the first, each `every`th, the last.

    every: 0 = the first and the last only; done: whether it is the last.
    """
    return done or tick == 1 or bool(every) and tick % every == 0


def _lod(kimg, resolution, config):
    phase_kimg = config.lod_training_kimg + config.lod_transition_kimg
    phase_index = int(math.floor(kimg / phase_kimg)) if phase_kimg > 0 else 0
    kimg_in_phase = kimg - phase_index * phase_kimg
    lod = math.log2(resolution) - math.floor(math.log2(config.lod_initial_resolution)) - phase_index
    if config.lod_transition_kimg > 0:
        lod -= max(kimg_in_phase - config.lod_training_kimg, 0.0) / config.lod_transition_kimg
    return max(lod, 0.0)


def _minibatch(current, num_replicas, config):
    minibatch = dict(config.minibatch_dict).get(current, config.minibatch_base)
    minibatch -= minibatch % num_replicas
    per_replica = dict(config.max_minibatch_per_gpu).get(current)
    if per_replica is not None:
        minibatch = min(minibatch, per_replica * num_replicas)
    return minibatch


def chunks_of(images, batch_gpu):
    """How many equal shares a GPU computes its `images` of a minibatch in: the fewest there can be
    of at most `batch_gpu` images each (None: one share)."""
    least = 1 if batch_gpu is None else -(-images // batch_gpu)
    return next(chunks for chunks in range(least, images + 1) if images % chunks == 0)


def minibatches(config):
    """(resolution, images over all GPUs), in turn, of the resolutions that a RunConfig trains."""
    resolution, schedule = config.G.resolution, config.schedule
    nimg, step = 0, (schedule.lod_training_kimg + schedule.lod_transition_kimg) * 1000
    current = schedule.lod_initial_resolution
    while current <= resolution:
        yield current, training_schedule(nimg, resolution, config.num_gpus, schedule).minibatch
        nimg, current = nimg + int(step), current * 2
