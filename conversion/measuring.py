"""What is measured of an image to tell whether it is good: colours, sharpness, bars, looks."""

from __future__ import annotations

import hashlib
from typing import NamedTuple

import imagehash
import numpy as np
from PIL import Image

from conversion import decode

SIDE = 256          # pixels of the shorter side, for sharpness and looks; smaller images stay
SMALL = 96          # of the shorter side, for colours and bars
LOOK = 8            # pixels a side, of what two near-duplicates are compared by
BAR_RANGE = 20      # gray levels by which a bar's pixels differ from its outermost row, at most:
                    # JPEG lets colours bleed into it
OPAQUE = 128        # from this alpha on, a pixel can be seen


class Measured(NamedTuple):
    """Of one image, upright, as RGB (gray images have three equal channels)."""
    width: int            # pixels
    height: int
    transparent: float    # share of the pixels that cannot be seen
    spread: float         # root mean square distance of pixels from their mean colour, gray levels
    colour: float         # mean difference between a pixel's largest and smallest channel, levels
    sharpness: float      # log10 of the variance of the Laplacian, plus 1
    bars: float           # share of the image in bars at two opposite sides, none at the others
    pixels: str           # hash of all pixels
    looks: int            # 64 bits: perceptual hash
    thumbnail: bytes      # LOOK x LOOK RGB pixels


def of_file(data):
    """The Measured of an image file's bytes.

    Raises:
        decode.Unusable: it cannot be decoded.
    """
    decode.verify(data)
    image = decode.upright(data, decode.Rules(num_channels=3))
    return of_image(image, decode.transparent_share(data, OPAQUE))


def of_image(image, transparent=0.0):
    """The Measured of an RGB image (Pillow's)."""
    base = _shrunk(image, SIDE)
    small = np.asarray(_shrunk(base, SMALL), np.float32)
    gray = base.convert('L')
    flat = small.reshape(-1, 3)
    return Measured(
        *image.size, transparent, float(np.sqrt(flat.var(axis=0).mean())),
        float((flat.max(axis=1) - flat.min(axis=1)).mean()), sharpness(gray), bars(small),
        hash_of(image), looks(gray),
        base.resize((LOOK, LOOK), Image.Resampling.BOX).tobytes())


def hash_of(image):
    """A hash of an image's size and pixels, hexadecimal."""
    return hashlib.blake2b(f'{image.size}'.encode() + image.tobytes(), digest_size=16).hexdigest()


def _shrunk(image, side):
    """The image with `side` pixels on its shorter side, averaged; smaller ones stay as they are."""
    shorter = min(image.size)
    if shorter <= side:
        return image
    size = [max(1, round(length * side / shorter)) for length in image.size]
    return image.resize(size, Image.Resampling.BOX, reducing_gap=2.0)


def sharpness(gray):
    """log10 of the variance of the Laplacian of a gray image, plus 1."""
    x = np.asarray(gray, np.int16)
    if min(x.shape) < 3:
        return 0.0
    laplacian = x[:-2, 1:-1] + x[2:, 1:-1] + x[1:-1, :-2] + x[1:-1, 2:] - 4 * x[1:-1, 1:-1]
    return float(np.log10(laplacian.var() + 1))


def bars(pixels):
    """Share of an image float32 [H, W, 3] in bars of one colour at two opposite sides.

    0 where there is only one bar, where the bars have different colours, or where the other two
    sides have bars too, as things on a plain ground have.
    """
    shares = []
    for rows in (pixels, pixels.transpose(1, 0, 2)):
        first, last = _bar(rows), _bar(rows[::-1])
        same = np.abs(rows[0].mean(axis=0) - rows[-1].mean(axis=0)).max() <= BAR_RANGE
        shares.append((first + last) / len(rows) if first and last and same else 0.0)
    return max(shares) if min(shares) == 0 and max(shares) < 1 else 0.0


def looks(gray):
    """The perceptual hash of a gray image, 64 bits."""
    return int(np.packbits(imagehash.phash(gray).hash).view('>u8')[0])


def _bar(rows):
    """How many of the first rows have one colour, all the same."""
    colour = rows[0].mean(axis=0)
    is_bar = np.abs(rows - colour).max(axis=(1, 2)) <= BAR_RANGE
    return len(rows) if is_bar.all() else int(is_bar.argmin())
