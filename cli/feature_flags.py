"""Flags that name the user's own feature networks; quick to import."""

from __future__ import annotations

import os

HELP = {  # {flag, as FeatureNetworks calls what it names: help}
    'inception': 'Path or URL of the Inception graph of 2015-12-05, for fid, kid, is. '
                 'Default: downloaded once.',
    'vgg16': "Path or URL of torchvision's VGG16, for pr and ppl. Default: downloaded once.",
    'lpips': "Path or URL of LPIPS' weights, for ppl. Default: downloaded once.",
    'classifiers': 'Folder of the forty attribute classifiers, for ls. Default: downloaded once.'}
TRANSLATION_HELP = {  # the same, of translation networks
    'inception_v3': "Path or URL of torchvision's Inception-v3, for fid_latent and fid_reference. "
                    'Default: downloaded once.',
    'alexnet': "Path or URL of torchvision's AlexNet, for lpips_latent and lpips_reference. "
               'Default: downloaded once.',
    'lpips_alex': "Path or URL of LPIPS' weights for AlexNet, for the same. Default: downloaded "
                  'once.'}


def given(flag_values):
    """{flag: path or URL} of the flags that are set, as FeatureNetworks takes them."""
    return {name: flag_values[name].value for name in (*HELP, *TRANSLATION_HELP)
            if name in flag_values and flag_values[name].value}


def check(named):
    """ValueError where {flag: path or URL} names a path that is not there."""
    for name, path in named.items():
        if '://' not in path and not os.path.exists(path):
            raise ValueError(f'--{name}={path}: there is no such file or folder; correct the path, '
                             'or leave the flag out to have it downloaded.')


def distance(named, choice, resolution, cache_dir):
    """The distance of editing.distances for images of this resolution; checks the flags.

    Args:
        named: {'vgg16', 'lpips': path or URL} of those that are given: with one, auto means LPIPS.
        choice: as editing.distances.choose has it.
    """
    from editing import distances
    from metrics.features import FeatureNetworks
    check(named)
    chosen = 'lpips' if named and choice == 'auto' else choice
    return distances.choose(chosen, resolution, FeatureNetworks(named, cache_dir))
