"""The images of one domain at the size of a network, as metrics read them."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import hashlib
import json

import numpy as np

from conversion.cache import contents, is_dataset
from conversion.collection import find_collection, printable
from conversion.workers import available
from training.dataset import TFRecordDataset
from translation.data import pixels

ORDER = 0   # the seed of the order that images come in


class DomainSet:
    """The images of one domain: what metrics ask of a TFRecordDataset, for DomainImages.

    They come in a fixed random order, since the first of a sorted folder may be all of one kind.

    Args:
        images: DomainImages.
        number: of the domain.
        size: pixels; images are scaled to size x size as in training, neither cropped nor flipped.
    """
    labels = None

    def __init__(self, images, number, size):
        self.images, self.resolution = images, size
        self.name, self.directory = images.domains[number], images.path
        members = images.members[number]
        self.members = [members[index] for index in
                        np.random.default_rng(ORDER).permutation(len(members))]

    @property
    def num_images(self):
        return len(self.members)

    def read(self, resolution, indices):
        """Images as uint8 [N, resolution, resolution, 3]."""
        def read_one(index):
            return pixels(self.images.read(self.members[index]), resolution)

        with concurrent.futures.ThreadPoolExecutor(available()) as pool:  # Pillow lets them run
            return np.stack(list(pool.map(read_one, indices)))

    def fingerprint(self):
        """Hex digits that change with any image at the path, the domain's share or the size."""
        path = self.directory
        what = (TFRecordDataset(path, max_label_size='full').fingerprint() if is_dataset(path)
                else contents(find_collection(path)))
        text = json.dumps([what, list(map(str, self.members)), self.resolution])
        return hashlib.sha256(text.encode(errors='surrogateescape')).hexdigest()


def in_order_of(domains, images, flag):
    """`images` with the domains of a network, in their order; further ones are left out.

    Args:
        domains: names.
        images: DomainImages.
        flag: that names them, for the error where a domain lacks.
    """
    lacking = [domain for domain in domains if domain not in images.domains]
    if lacking:
        raise ValueError(f'--{flag}={printable(images.path)}: has no images of the domain '
                         f'{lacking[0]}; the network translates between {", ".join(domains)}, and '
                         f'there must be a folder of that name for each.')
    members = tuple(images.members[images.domains.index(domain)] for domain in domains)
    return dataclasses.replace(images, domains=tuple(domains), members=members)


def sets_of(images, size):
    """A DomainSet for each domain of DomainImages."""
    return tuple(DomainSet(images, number, size) for number in range(len(images.domains)))
