"""The translations that metrics are of: validation images of one domain in styles of another.

StarGAN v2 (Choi et al. 2020, section 4 and appendix): each source is translated several times, in
styles of random latents ("latent") or of validation images of the target domain ("reference").
"""

from __future__ import annotations

import numpy as np

from training.sampler import to_float
from translation.data import in_range

BATCH = 32                              # sources at a time, and references
GUIDES = LATENT, REFERENCE = 'latent', 'reference'
SOURCES, STYLES = range(2)              # what draws are for, folded into the seed


def shuffled(count, random):
    """Endless batches of BATCH numbers below `count`, each number once before any comes again.

    What is left of a round is dropped. Of fewer than BATCH numbers a batch takes several rounds.
    """
    rounds = -(-BATCH // count)
    while True:
        numbers = np.concatenate([random.permutation(count) for _ in range(rounds)])
        for start in range(0, len(numbers) - BATCH + 1, BATCH):
            yield numbers[start:start + BATCH]


class Fakes:
    """Translations between all domains, the same ones for the same seed.

    Args:
        translator: Translator.
        val: a DomainSet of validation images for each domain of the network.
        seed: an int.
    """
    is_generator = True

    def __init__(self, translator, val, seed):
        self.translator, self.val, self.seed = translator, val, seed

    def pairs(self):
        """(source, target) of different domains, those with the same target together."""
        numbers = range(len(self.val))
        return [(source, target) for target in numbers for source in numbers if source != target]

    def name(self, pair):
        """Such as 'cat2dog'."""
        return '2'.join(self.val[number].name for number in pair)

    def _images(self, domain, numbers):
        """float32 [N, S, S, 3], [-1, 1]."""
        return in_range(self.val[domain].read(self.translator.config.img_size, numbers))

    def _all_styles(self, domain):
        """Styles of all validation images of a domain: float32 [N, style_dim]."""
        count = self.val[domain].num_images
        return np.concatenate([
            self.translator.styles_of_images(
                self._images(domain, range(start, min(start + BATCH, count))), domain)
            for start in range(0, count, BATCH)])

    def styles(self, guide, target):
        """A function: count, BATCH at most -> the next styles of `target`, [count, style_dim].

        One after the other they serve all sources that are translated into `target`.
        """
        random = np.random.default_rng([self.seed, STYLES, target])
        if guide == LATENT:
            size = self.translator.config.latent_dim
            return lambda count: self.translator.styles_of_latents(
                random.standard_normal([count, size], np.float32), target)
        of_all, batches = self._all_styles(target), shuffled(self.val[target].num_images, random)
        return lambda count: of_all[next(batches)[:count]]

    def batches(self, pair, styles, num_sources, outputs):
        """Yields sources [N, S, S, 3] and their styles [outputs, N, style_dim]: each source once.

        styles: what `styles` gave for the target.
        """
        source, target = pair
        random = np.random.default_rng([self.seed, SOURCES, target, source])
        order = random.permutation(self.val[source].num_images)[:num_sources]
        for start in range(0, len(order), BATCH):
            numbers = order[start:start + BATCH]
            yield (self._images(source, numbers),
                   np.stack([styles(len(numbers)) for _ in range(outputs)]))

    def images(self, batches, convert):
        """Yields the translations of `batches`, [N, S, S, 3]; convert: see `Translator.batches`."""
        for sources, styles in batches:
            for of_output in styles:
                yield from self.translator.batches(sources, of_output, convert)

    def outputs(self, batches):
        """Yields the translations of some sources, all outputs of each: [outputs, N, S, S, 3].

        They are float32 and not clipped. N is as many as the network takes at a time.
        """
        size = self.translator.minibatch
        for sources, styles in batches:
            for start in range(0, len(sources), size):
                part = slice(start, start + size)
                yield np.stack([self.translator.images(sources[part], of_output[part], to_float)
                                for of_output in styles])
