"""The tab Seeds: a seed, and what stands between it and its picture."""

from __future__ import annotations

import dataclasses
from typing import Optional

from explorer.picture import Picture
from pictures.latents import class_labels, latents_of
from pictures.w_files import SavedW
from training.sampler import Truncation

NOISES = ('stored', 'random', 'none')
FIRST_MINIBATCH = (0, 1)  # stateless seed of generate.py's random noise


@dataclasses.dataclass(frozen=True)
class Choice:
    """What the tab asks for; names and meanings as generate.py's flags have them."""
    seed: int
    psi: float
    cutoff: int                      # layers that are truncated, the coarsest first
    noise: str = 'stored'            # one of NOISES
    class_idx: Optional[int] = None  # None: the network has no classes

    @property
    def flags(self):
        """Of generate.py."""
        flags = [f'--seeds={self.seed}', f'--trunc={self.psi:g}', f'--trunc_cutoff={self.cutoff}']
        if self.noise != 'stored':
            flags.append(f'--noise={self.noise}')
        return flags + ([] if self.class_idx is None else [f'--class_idx={self.class_idx}'])


def first_choice(config):
    """Where the page begins: seed 0, as the network (GeneratorConfig) itself would draw it."""
    psi = 1.0 if config.truncation_psi is None else config.truncation_psi
    cutoff = config.num_styles if config.truncation_cutoff is None else config.truncation_cutoff
    return Choice(0, psi, min(cutoff, config.num_styles),
                  class_idx=0 if config.label_size else None)


def noise_maps(sampler, noise):
    """Maps [1, H, W, 1] of each layer that one of NOISES means; None = the sampler's own."""
    if noise == 'stored':
        return None
    return (sampler.random_noise(1, FIRST_MINIBATCH) if noise == 'random'
            else sampler.stored_noise(layers=()))


def seed_picture(studio, choice):
    """The Picture of a Choice."""
    sampler = studio.sampler
    labels = class_labels(sampler.config, choice.class_idx, 1)
    w = sampler.w(latents_of([choice.seed], sampler.config.latent_size), labels,
                  Truncation(float(f'{choice.psi:g}'), choice.cutoff))
    saved = SavedW(w, noise_maps(sampler, choice.noise))
    return Picture(f'seed{choice.seed:04d}', studio.draw(saved), saved,
                   studio.command('generate.py', *choice.flags))
