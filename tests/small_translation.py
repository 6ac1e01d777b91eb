"""Small translation networks and images of domains, so that a test of them takes seconds."""

import numpy as np
from PIL import Image

from translation import snapshot
from translation.config import TranslationConfig
from translation.networks import Generator, MappingNetwork, StyleEncoder

DOMAINS = ('cat', 'dog', 'wild')
COLOURS = {'cat': (250, 60, 0), 'dog': (0, 250, 60), 'wild': (60, 0, 250)}


def small_networks(domains=DOMAINS, **options):
    """A Snapshot of random averages, without the networks that only training needs."""
    config = TranslationConfig(**{
        'img_size': 32, 'num_domains': len(domains), 'latent_dim': 4, 'hidden_dim': 32,
        'style_dim': 4, 'conv_dim_base': 64, 'max_conv_dim': 4, **options})
    return snapshot.Snapshot(config, tuple(domains), Generator(config), MappingNetwork(config),
                             StyleEncoder(config), None, None, None, None, 1.5, 3)


def write_images(path, counts, size=32, seed=0):
    """A folder for each domain of {domain: images}: noise in its colour; returns the path."""
    random = np.random.RandomState(seed)
    for domain, count in counts.items():
        folder = path / domain
        folder.mkdir(parents=True)
        for number in range(count):
            coarse = (random.rand(8, 8, 3) * COLOURS[domain]).astype(np.uint8)
            Image.fromarray(coarse).resize((size, size)).save(folder / f'{number:03d}.png')
    return path
