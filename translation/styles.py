"""The styles of a command: of seeds, of references, of a file that was saved before."""

from __future__ import annotations

from typing import Any, NamedTuple, Optional

import numpy as np

from conversion.photos import Photos
from formats import npz
from pictures.latents import latents_of


class Styles(NamedTuple):
    """Some styles, each of a domain."""
    s: Any                # float32 [N, style_dim]
    y: Any                # [N]: numbers of their domains
    titles: tuple         # for the names of pictures
    references: Optional[Photos] = None   # that they are of

    def groups(self):
        """Lists of numbers of neighbours that are of one domain."""
        changes = np.flatnonzero(np.diff(self.y)) + 1
        return np.split(np.arange(len(self.y)), changes)


def of_seeds(translator, domains, seeds, numbers, psi):
    """For each domain of `numbers` a style for each seed, the same latents for all.

    domains: names of all domains of the network.
    """
    z = latents_of(seeds, translator.config.latent_dim)
    averages = None if psi == 1 else translator.averages()
    s = [translator.styles_of_latents(z, number, psi, averages) for number in numbers]
    titles = tuple(f'{domains[number]}-seed{seed:04d}' for number in numbers for seed in seeds)
    return Styles(np.concatenate(s), np.repeat(numbers, len(seeds)), titles)


def of_references(translator, photos, y):
    """The styles of Photos of domains y [N]."""
    s = [translator.styles_of_images(photos.read(numbers), np.take(y, numbers))
         for numbers in photos.in_parts(translator.minibatch)]
    return Styles(np.concatenate(s), np.array(y), tuple(photos.titles()), photos)


def save(path, styles, domains):
    """Writes Styles as .npz: `s`, and the names of their domains."""
    npz.save(path, {'s': styles.s, 'domains': np.array([domains[y] for y in styles.y])})


def load(path, config, domains):
    """The Styles of a file that `save` wrote; ValueError where it is not for this network."""
    s, names = npz.load(path, 's', ['domains'])
    s, names = npz.check_rows(s, [config.style_dim], path, 's'), [str(name) for name in names.flat]
    if len(names) != len(s):
        raise ValueError(f'--s={path}: must have a domain for each style; received {len(names)} '
                         f'for {len(s)}. Make the file again with --save_s.')
    unknown = sorted(set(names) - set(domains))
    if unknown:
        raise ValueError(f'--s={path}: has a style of the domain {unknown[0]}; the network knows '
                         f'{", ".join(domains)}. Take the network that it was made with.')
    titles = tuple(f'{name}-style{number:04d}' for number, name in enumerate(names))
    return Styles(s, np.array([domains.index(name) for name in names]), titles)
