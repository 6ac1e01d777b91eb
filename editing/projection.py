"""From images to w: gradient descent to the w, and the noise, that draw a given image.

The method is that of Karras et al. 2019 (StyleGAN 2), arXiv 1912.04958, appendix D. From 10,000
mapped z come the mean w and sigma^2 = mean |w - mean|^2. With t = 1 at the beginning and 0 at the
end of the first `w_noise_share` of the steps, each step

    draws   images of w + 0.05 sigma t^2 N(0, 1), w beginning as the mean, with noise maps n,
            beginning as the network's own;
    reduces distance(image, target) + 1e5 regulariser(n)  by Adam (b1 = 0.9), at a rate that rises
            linearly in the first 5% of the steps and falls by a cosine in the last 25%;
    and     gives each noise map the mean 0 and the variance 1.

Some of it is other than there; what it is good for, benchmarks/README.md has measured:
- Adam moves along the principal axes of w, with steps proportional to the deviation along each. The
  rate then means the same in every network, and what hardly occurs in w hardly changes.
- Maps move at a fifth of the rate of w, w's own noise ends after a quarter of the steps, not three
  quarters, and b2 is 0.99, not 0.999: w settles earlier.
- What a network draws beyond [-1, 1] is shown as black or white, and so it is compared; a tenth of
  what is beyond is left, to lead back.
- What was best is kept, not what was last.

W+ (a w for each layer; Abdal et al. 2019, arXiv 1904.03189) goes on from the best of W, and takes
only what is nearer in distance and no farther in pixels.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any, NamedTuple, Optional

import numpy as np
import tensorflow as tf

from editing.noise import normalised, regulariser
from training.adam import Adam
from training.seeds import folded_seed, random_normal

SPACES = ('w', 'w+')
BETA_1 = 0.9          # of Adam
BEYOND = 0.1          # share that is left of what lies beyond [-1, 1]
GRAY_LEVELS = 127.5   # in a unit of [-1, 1]


@dataclasses.dataclass(frozen=True)
class Options:
    """How to descend."""
    space: str = 'w'           # one of SPACES: w = one for all layers, w+ = one for each
    steps: int = 1000          # in W; for W+ as many again
    rate: float = 0.1          # of w: deviations along each principal axis in a step of Adam
    spread: float = 1.0        # the power of the axes' deviations that steps follow; 0 = all alike
    noise_rate: float = 0.02   # of noise maps, whose deviation is 1
    beta_2: float = 0.99       # of Adam
    ramp_up: float = 0.05      # share of the steps in which the rates rise
    ramp_down: float = 0.25    # share of the steps in which they fall
    w_noise: float = 0.05      # added to w at first, in sigmas
    w_noise_share: float = 0.25  # of the steps, in which that falls to 0
    regularisation: float = 1e5  # weight of the noise maps' regulariser
    optimise_noise: bool = True  # False = with the network's own maps
    seed: int = 0              # of the noise that is added to w

    def __post_init__(self):
        if self.space not in SPACES:
            raise ValueError(f'--space={self.space}: must be {" or ".join(SPACES)}.')
        if self.steps < 1:
            raise ValueError(f'--steps={self.steps}: must be 1 or more.')

    @property
    def total_steps(self):
        return self.steps * (2 if self.space == 'w+' else 1)

    def rate_factor(self, step):
        """What the rates are multiplied with at a step of 0 .. steps - 1."""
        t = step / self.steps
        falling = min(1.0, (1 - t) / self.ramp_down) if self.ramp_down else 1.0
        rising = min(1.0, t / self.ramp_up) if self.ramp_up else 1.0
        return rising * (0.5 - 0.5 * math.cos(falling * math.pi))

    def w_noise_factor(self, step):
        """The deviation of the noise that is added to w at a step, in sigmas."""
        left = max(0.0, 1 - step / self.steps / self.w_noise_share) if self.w_noise_share else 0.0
        return self.w_noise * left ** 2


class Moment(NamedTuple):
    """Where a projection is after a step; N images."""
    step: int              # 1 .. steps
    steps: int             # in all
    distances: np.ndarray  # [N], of the images that this step drew
    images: Any            # these, tf.Tensor [N, r, r, C], about [-1, 1]
    best: np.ndarray       # [N], the least distances so far


class Projection(NamedTuple):
    """What was found for N images."""
    w: np.ndarray           # float32 [N, L, dlatent_size]
    noise: Optional[list]   # maps float32 [N, H, W, 1] for each layer; None = the network's own
    distances: np.ndarray   # [N], as the distance has them
    rmse: np.ndarray        # [N], root of the mean squared error of pixels, of 255 levels
    away: np.ndarray        # [N], distance of w from the mean, in sigmas


def joined(projections):
    """One Projection of the images of several, one after the other."""
    parts = [np.concatenate(parts) for parts in zip(*(p._replace(noise=p.w) for p in projections))]
    noise = None
    if projections[0].noise is not None:
        noise = [np.concatenate(maps) for maps in zip(*(p.noise for p in projections))]
    return Projection(*parts)._replace(noise=noise)


def as_shown(images):
    """Images [N, H, W, C] with a share BEYOND of what lies beyond [-1, 1]."""
    inside = tf.clip_by_value(images, -1.0, 1.0)
    return inside + BEYOND * (images - inside)


def _rmse(images, targets):
    """[N], in gray levels, of images [N, r, r, C] as they would be shown."""
    error = tf.clip_by_value(images, -1.0, 1.0) - targets
    return GRAY_LEVELS * tf.sqrt(tf.reduce_mean(tf.square(error), axis=[1, 2, 3]))


def _basis(statistics, spread):
    """[D, D] float32: what a unit along each principal axis is in w, a column each."""
    mean = statistics.deviation / math.sqrt(len(statistics.mean))
    return statistics.axes * np.float32(mean) * (statistics.deviations / mean) ** spread


class _Best(tf.Module):
    """The best of each image so far, on the device."""

    def __init__(self, w, noise):
        super().__init__()
        self.w, self.noise = tf.Variable(w), [tf.Variable(maps) for maps in noise]
        self.distances, self.rmse, self.most_rmse = (
            tf.Variable(tf.fill([w.shape[0]], np.float32(np.inf))) for _ in range(3))

    def take(self, w, noise, distances, rmse):
        """Keeps what is better; in W+, what is also no worse in pixels than W was."""
        better = (distances < self.distances) & (rmse <= self.most_rmse)
        pairs = zip([self.w, self.distances, self.rmse, *self.noise], [w, distances, rmse, *noise])
        for variable, new in pairs:
            chosen = tf.reshape(better, [-1] + [1] * (len(variable.shape) - 1))
            variable.assign(tf.where(chosen, new, variable))


class _Descent(tf.Module):
    """One descent, from the best so far: in W, or with a w for each layer."""

    def __init__(self, projector, rows):
        super().__init__()
        self.projector, best = projector, projector.best_so_far
        options = projector.options
        self.start = tf.identity(best.w[:, :rows])
        self.u = tf.Variable(tf.zeros_like(self.start))  # along the axes, in deviations
        self.noise = [tf.Variable(maps) for maps in best.noise]
        self.w_adam = Adam([self.u], beta_2=options.beta_2, beta_1=BETA_1)
        self.noise_adam = Adam(self.noise, beta_2=options.beta_2, beta_1=BETA_1)
        self.basis = tf.constant(_basis(projector.statistics, options.spread))
        self.step = tf.function(self._step)

    def _w(self, w_noise):
        """[N, L, D]; w_noise: deviation of what is added."""
        layers = self.projector.best_so_far.w.shape[1]
        w = self.start + tf.einsum('nrk,dk->nrd', self.u, self.basis) + w_noise
        return tf.repeat(w, layers // w.shape[1], axis=1)

    def _step(self, rate, noise_rate, w_noise, seed):
        """One step, all tensors; returns (distances [N], images) of what it drew."""
        outer = self.projector
        added = w_noise * random_normal(self.u.shape, seed)
        with tf.GradientTape() as tape:
            w, noise = self._w(added), [tf.identity(maps) for maps in self.noise]
            images = outer.sampler.drawn(w, noise or outer.own_noise)
            distances = outer.distance.between(outer.distance.embedded(as_shown(images)),
                                               outer.embedded)
            loss = tf.reduce_sum(distances + outer.options.regularisation * regulariser(noise))
        gradients = tape.gradient(loss, [self.u, *self.noise])
        outer.best_so_far.take(w, noise, distances, _rmse(images, outer.targets))
        self.w_adam.apply_if_finite(gradients[:1], [self.u], rate)
        if noise:
            self.noise_adam.apply_if_finite(gradients[1:], self.noise, noise_rate)
        for maps in self.noise:
            maps.assign(normalised(maps))
        return distances, images


class Projector:
    """Finds w for some images at once; each is found for itself.

        projector = Projector(sampler, targets, latents.statistics(sampler), PixelPyramid())
        for moment in projector.moments():  # leave whenever you like
            print(moment.step, moment.best)
        projection = projector.best()

    Args:
        sampler: training.sampler.Sampler of a network with w.
        targets: float32 [N, r, r, C], [-1, 1], of the sampler's size.
        statistics: latents.WStatistics of the network (and class).
        distance: one of distances.py.
        options: Options.
    """

    def __init__(self, sampler, targets, statistics, distance, options=Options()):
        shape = (sampler.resolution, sampler.resolution, sampler.num_channels)
        if tuple(targets.shape[1:]) != shape or not len(targets):
            raise ValueError(f'targets must be [N, {", ".join(map(str, shape))}] for this network; '
                             f'received {list(targets.shape)}.')
        self.sampler, self.statistics = sampler, statistics
        self.distance, self.options = distance, options
        self.targets = tf.constant(targets, tf.float32)
        self.embedded = distance.embedded(self.targets)
        self.own_noise = sampler.stored_noise()
        self.optimises_noise = options.optimise_noise and sampler.has_noise
        w = np.tile(statistics.mean, [len(targets), sampler.config.num_styles, 1])
        self.best_so_far = _Best(w, [tf.repeat(maps, len(targets), axis=0)
                                     for maps in self.own_noise] if self.optimises_noise else [])

    def moments(self):
        """Yields a Moment after each step. What is best is kept, wherever the caller stops."""
        options, done = self.options, 0
        for space in SPACES[:SPACES.index(options.space) + 1]:
            self.best_so_far.most_rmse.assign(self.best_so_far.rmse)
            rows = 1 if space == 'w' else self.sampler.config.num_styles
            descent = _Descent(self, rows)
            for step in range(options.steps):
                factor = np.float32(options.rate_factor(step))
                noise = options.w_noise_factor(step) if space == 'w' else 0.0
                distances, images = descent.step(
                    *map(tf.constant, (options.rate * factor, options.noise_rate * factor,
                                       np.float32(noise * self.statistics.deviation))),
                    folded_seed([options.seed, 0], step))
                done += 1
                yield Moment(done, options.total_steps, self._checked(distances, done), images,
                             self.best_so_far.distances.numpy())

    def _checked(self, distances, step):
        """The distances as an array; ValueError where one is not finite."""
        distances = distances.numpy()
        if not np.isfinite(distances).all():
            raise ValueError(f'step {step}: the distance of image {np.argmin(distances * 0 == 0)} '
                             'from its target is not finite; what is the network or the target?')
        return distances

    def best(self):
        """The Projection so far: before the first step the mean w, at an infinite distance."""
        best = self.best_so_far
        w = best.w.numpy()
        noise = [maps.numpy() for maps in best.noise] if self.optimises_noise else None
        used = w[:, :self.sampler.num_layers] if self.sampler.num_layers else w
        return Projection(w, noise, best.distances.numpy(), best.rmse.numpy(),
                          self.statistics.distances(used))
