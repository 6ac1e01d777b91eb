"""Whether D learns its images by heart: its scores of images that were never trained on."""

from __future__ import annotations

import math

import numpy as np

from training.augment import apply
from training.config import RunConfig
from training.dataset import blend_reals
from training.seeds import folded_seed, random_normal

HOLDOUT_SEED = 3        # what a draw is for, folded into the run's seed
SURE = 2.0              # standard errors by which reals must stand above fakes
MEMORISED = 0.5         # share of the way above which a run is told
LEAKS_ABOVE = 0.8       # p above which augmentations may show in the fakes (Karras et al. 2020)
AT_A_TIME = 32          # images scored together, at most


def share_of_way(train, held_out, fakes):
    """How far D's scores of held-out reals have gone from those of trained reals to the fakes'.

    0 = it knows no difference between reals (nothing is memorised), 1 = reals that it has not seen
    are fakes to it. 0 too where it can't tell the trained reals from the fakes.

    Args:
        train, held_out, fakes: scores [N].
    """
    error = math.sqrt(sum(np.var(scores) / len(scores) for scores in (train, fakes)))
    way = np.mean(train) - np.mean(fakes)
    if not way > SURE * error:
        return 0.0
    return float((np.mean(train) - np.mean(held_out)) / way)


class HeldOut:
    """Scores trained reals, held-out reals and fakes, as training shows them to D.

    The same images and latents all through a run, as many of each as the data set holds out. Where
    that is none, or less than a group of the minibatch stddev, there is nothing to tell.
    """

    def __init__(self, state, config: RunConfig, dataset):
        self.state, self.config, self.dataset = state, config, dataset
        count = min(len(dataset.held_out), len(dataset.trained))
        random = np.random.default_rng([config.seed, HOLDOUT_SEED])
        self.records = [random.choice(records, count, replace=False)
                        for records in (dataset.trained, dataset.held_out)]
        self._advised = set()

    def stats(self, sched):
        """{'score_train', 'score_holdout', 'score_generated': means, 'memorised': `share_of_way`}.

        Empty where there is nothing to tell.
        """
        batches = list(self._batches(sched))
        if not batches:
            return {}
        scores = [np.concatenate(each) for each in zip(*(
            self._scores_of(sched, batch, number) for number, batch in enumerate(batches)))]
        names = ('score_train', 'score_holdout', 'score_generated')
        return {**{name: float(np.mean(each)) for name, each in zip(names, scores)},
                'memorised': share_of_way(*scores)}

    def advice(self, sched, stats):
        """Lines on what `stats` show and what to do about it, each at most once a stage."""
        found = []
        if stats.get('memorised', 0) > MEMORISED:
            remedy = ('a lower --aug_target' if self.config.augment else '--aug=ada')
            found.append(('memorised', (
                f'Memorising: to D, images that it has never seen are {stats["memorised"]:.0%} of '
                'the way from those it was trained on to fakes: it learns these '
                f'{len(self.dataset.trained)} by heart, and G will get worse. Stop here (the best '
                f'snapshot is kept) or train with {remedy}, more images or the weights of similar '
                'ones (--resume=NETWORK_FILE).')))
        if stats.get('augment', 0) > LEAKS_ABOVE:
            found.append(('augment', (
                f'Augmentation: p = {stats["augment"]:.2f}; above {LEAKS_ABOVE} what is done to '
                'images may show in the fakes (turned, oddly coloured). Too few images for this '
                'target: lower --aug_target, take a smaller --aug_pipe (such as color), more '
                'images or the weights of similar ones (--resume=NETWORK_FILE).')))
        stage = (sched.level, sched.alpha > 0)
        lines = [line for name, line in found if (name, stage) not in self._advised]
        self._advised |= {(name, stage) for name, _ in found}
        return lines

    def _batches(self, sched):
        """Pairs of (trained, held-out) records [n]: whole groups, no more than D takes at once."""
        group, count = self.config.group, len(self.records[0])
        size = min(sched.minibatch // self.config.num_gpus, AT_A_TIME, count) // group * group
        starts = range(0, count - size + 1, size) if size else ()
        return ([records[start:start + size] for records in self.records] for start in starts)

    def _scores_of(self, sched, batch, number):
        """Three arrays [n] of scores: of (trained, held-out) records, and of as many fakes."""
        seed = folded_seed([self.config.seed, HOLDOUT_SEED], number)
        labels = [self.dataset.labels[records] for records in batch]
        images = [blend_reals(self.dataset.read(sched.resolution, records), sched.alpha, False)
                  for records in batch]
        images.append(self._fakes(sched, labels[-1], seed))
        return [self._score(sched, *pair, folded_seed(seed, purpose))
                for purpose, pair in enumerate(zip(images, [*labels, labels[-1]]))]

    def _fakes(self, sched, labels, seed):
        """G's images for `labels`, as many, [n, r, r, C]."""
        G = self.state.G
        z = random_normal([len(labels), G.config.latent_size], folded_seed(seed, 10))
        draws = G.training_draws(len(labels), sched.level, randomize_noise=True,
                                 style_mixing=False, seed=folded_seed(seed, 11))
        return G.training_images(z, labels, sched.level, sched.alpha, draws)[0]

    def _score(self, sched, images, labels, seed):
        """D's scores of images that have been through the pipe, [n]."""
        drawn = self.state.adaptive_p.draw(images.shape, seed)
        if drawn is not None:
            images = apply(images, drawn)
        scores = self.state.D.at_level(images, labels, sched.level, sched.alpha)
        return scores.numpy()[:, 0].astype(np.float64)
