"""Checks one image file of any kind, or decodes it to the pixels that the dataset holds."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import warnings
from typing import Optional

import numpy as np
from PIL import Image, ImageColor

Image.init()
# No other kinds, whatever a file's name says: some (EPS) are programs that run when opened.
FORMATS = tuple(name for name in ('PNG', 'JPEG', 'MPO', 'WEBP', 'BMP', 'DIB', 'GIF', 'TIFF', 'PPM',
                                  'JPEG2000', 'TGA', 'AVIF') if name in Image.OPEN)
MAX_PIXELS = Image.MAX_IMAGE_PIXELS  # 89 million, where Pillow starts to warn of a bomb
CROPS = ('none', 'center', 'pad')
RESIZES = {'lanczos': Image.Resampling.LANCZOS, 'box': Image.Resampling.BOX, 'none': None}
_GRAY_MODES = ('1', 'L', 'LA', 'La', 'I', 'I;16', 'I;16B', 'I;16L', 'I;16N')
_MUCH_LARGER = 3  # times the dataset's side
_EXIF_ORIENTATION = 0x0112
_TURNS = {2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180,
          4: Image.Transpose.FLIP_TOP_BOTTOM, 5: Image.Transpose.TRANSPOSE,
          6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE,
          8: Image.Transpose.ROTATE_90}  # what turns an image of this EXIF orientation upright


class Unusable(ValueError):
    """The reason, in a few words, why an image cannot be used; the caller adds the file's name."""


@dataclasses.dataclass(frozen=True)
class Cut:
    """A square piece of images that must all have one size."""
    size: tuple  # (width, height) that the images must have
    left: int
    top: int
    side: int


@dataclasses.dataclass(frozen=True)
class Rules:
    """What is done to every image on its way into the dataset."""
    resolution: Optional[int] = None    # side of the result in pixels; None = the images' own
    num_channels: Optional[int] = None  # 1 or 3; None = 1 where all images are gray, else 3
    resize: str = 'lanczos'     # one of RESIZES: how the resolution is reached; 'none' = not scaled
    crop: str = 'none'          # one of CROPS: how an image becomes square
    background: str = 'white'   # colour behind transparent pixels and beside padded images
    cut: Optional[Cut] = None   # taken out of each image, instead of all that


@dataclasses.dataclass(frozen=True)
class Facts:
    """What a check of one image found out."""
    size: tuple         # (width, height) in pixels, upright
    gray: bool          # the file holds one channel (and perhaps alpha)
    conversions: tuple  # of str: what has to be done to get plain 8-bit gray or RGB


def check_background(colour):
    """ValueError, naming --background, unless Pillow knows the colour."""
    try:
        ImageColor.getrgb(colour)
    except ValueError as error:
        raise ValueError('--background must be a colour such as white or #ff8800, got '
                         f'{colour!r}') from error


def verify(data):
    """Raises Unusable where a checksum of the image in `data` (bytes) is wrong.

    Decoding alone lets flipped bits of a PNG file pass.
    """
    with _reasons(), _open(data) as image:
        image.verify()


def check(data):
    """Decodes the image in `data` (bytes) to see that it can be; returns its Facts.

    Raises:
        Unusable: it cannot.
    """
    return _checked(data, Rules(num_channels=3), draft_from=0)[0]


def upright_size(data):
    """(width, height) of the image in `data` (bytes), as its head says: nothing is decoded."""
    with _reasons():
        image = _open(data)
        return image.size[::-1] if _orientation(image) >= 5 else image.size


def check_and_decode(data, rules, side):
    """Like `check`, and the pixels, where they fit a dataset of this side.

    A JPEG much larger than that is only checked, a tenth of the work: what is wrong with a folder
    of photographs should show soon.

    Returns:
        Facts and uint8 [C, side, side], or Facts and None. Where `rules` leave the number of
        channels open, it is 1 for a gray file and else 3.
    """
    facts, image = _checked(data, rules, draft_from=_MUCH_LARGER * side)
    if image is None or size_problem(facts.size, rules) or result_side(facts.size, rules) != side:
        return facts, None
    with _reasons():
        return facts, pixels(fit(image, rules))


def _checked(data, rules, draft_from):
    """Facts, and the upright image; None for a JPEG whose sides have `draft_from` pixels or more.

    To see that such a file can be decoded, it is read to fewer pixels, which is faster.
    """
    verify(data)
    with _reasons():
        image = _open(data)
        size, gray, conversions = image.size, image.mode in _GRAY_MODES, _conversions(image)
        is_draft = image.format in ('JPEG', 'MPO') and min(size) >= draft_from
        if is_draft:  # all of the file is read nevertheless
            image.draft(image.mode, (size[0] // 8, size[1] // 8))
        plain = _plain(image, rules)
        orientation = _orientation(image)
        if orientation != 1:
            size = size[::-1] if orientation >= 5 else size
            conversions = ('turned upright as EXIF says', *conversions)
        return (Facts(size, gray, conversions),
                None if is_draft else _turned(plain, orientation))


def decode(data, rules):
    """Returns the image in `data` (bytes) as uint8 [C, H, W], made to fit `rules`.

    `rules.num_channels` must be given here.
    """
    with _reasons():
        return pixels(fit(upright(data, rules), rules))


def upright(data, rules):
    """Returns the image in `data` (bytes), 8-bit gray or RGB, turned as EXIF says, opaque."""
    with _reasons():
        image = _open(data)
        plain = _plain(image, rules)
        return _turned(plain, _orientation(image))


def transparent_share(data, opaque):
    """Share of the pixels of the image in `data` (bytes) whose alpha is below `opaque` of 255."""
    with _reasons():
        image = _open(data)
        if not image.has_transparency_data:
            return 0.0
        alpha = image.convert('RGBA').getchannel('A')
        return sum(alpha.histogram()[:opaque]) / (alpha.width * alpha.height)


def pixels(image):
    """Returns a gray or RGB image as uint8 [C, H, W]."""
    return np.stack([np.asarray(band) for band in image.split()])


def fit(image, rules):
    """Returns the upright image cropped, padded and scaled as `rules` say."""
    if rules.cut:
        cut = rules.cut
        return image.crop((cut.left, cut.top, cut.left + cut.side, cut.top + cut.side))
    width, height = image.size
    side = rules.resolution or (max if rules.crop == 'pad' else min)(width, height)
    scaling = RESIZES[rules.resize] if rules.resolution else None
    if rules.crop == 'center':
        image = _centre(image, side if scaling is None else min(width, height))
    if scaling is not None:
        shrink = side / max(image.size)
        size = tuple(max(1, round(length * shrink)) for length in image.size)
        image = image if size == image.size else image.resize(size, scaling)
    return _centre(image, side, rules.background) if rules.crop == 'pad' else image


def size_problem(size, rules):
    """Why an image of this (width, height) cannot become a square of a power of two; None: it can.

    Without `rules.resolution` it may still be another square than the other images become: see
    `result_side`.
    """
    (width, height), side = size, result_side(size, rules)
    if rules.cut and size != rules.cut.size:
        return f'is {width}x{height}, not {rules.cut.size[0]}x{rules.cut.size[1]}'
    if side is None:
        return f'is {width}x{height}, not square'
    if side < 4 or side & (side - 1):
        return f'is {width}x{height}: {side} is not a power of two of at least 4'
    if rules.resolution and rules.resize == 'none':
        if rules.crop == 'center' and min(size) < side:
            return f'is {width}x{height}, smaller than {side}x{side}'
        if rules.crop == 'pad' and max(size) > side:
            return f'is {width}x{height}, larger than {side}x{side}'
        if rules.crop == 'none' and size != (side, side):
            return f'is {width}x{height}, not {side}x{side}'
    return None


def result_side(size, rules):
    """Side in pixels of the square that an image of this (width, height) becomes; None = none."""
    if rules.cut:
        return rules.cut.side
    if rules.crop == 'none' and size[0] != size[1]:
        return None
    return rules.resolution or (max(size) if rules.crop == 'pad' else min(size))


@contextlib.contextmanager
def _reasons():
    """Turns whatever a decoder raises on damaged data into Unusable."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')  # of odd metadata; bombs are refused by size
            yield
    except Unusable:
        raise
    except MemoryError as error:
        raise Unusable('needs more memory than is available') from error
    except Image.DecompressionBombError as error:
        raise Unusable(f'has more than {MAX_PIXELS:,} pixels') from error
    except Exception as error:  # Pillow's plugins raise nearly any kind on hostile input
        text = ' '.join(str(error).split()) or type(error).__name__
        raise Unusable(f'is damaged ({text})') from error


def _open(data):
    if not data:
        raise Unusable('is empty (0 bytes)')
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS)
    except Image.UnidentifiedImageError as error:
        raise Unusable('is not an image in a supported format') from error
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise Unusable(f'is {width}x{height}, more than {MAX_PIXELS:,} pixels')
    return image


def _orientation(image):
    """EXIF's 1 (upright) to 8 of a loaded image (loading turns TIFFs); 5 up swap the sides."""
    try:
        value = image.getexif().get(_EXIF_ORIENTATION, 1)
    except Exception:  # damaged metadata: the pixels are as good as without
        return 1
    return value if value in range(1, 9) else 1


def _turned(image, orientation):
    """The image turned upright, as EXIF's orientation says."""
    turn = _TURNS.get(orientation)
    return image if turn is None else image.transpose(turn)


def _conversions(image):
    """Names of what keeps this image from being plain 8-bit gray or RGB."""
    found = []
    if image.has_transparency_data:
        found.append('transparent, placed on the background')
    if image.mode in ('P', 'PA'):
        found.append('palette')
    elif image.mode not in ('L', 'LA', 'La', 'RGB', 'RGBA', 'RGBa', 'RGBX'):
        found.append('16-bit gray' if image.mode.startswith('I') else
                     'black and white' if image.mode == '1' else image.mode)
    if getattr(image, 'n_frames', 1) > 1 and image.format != 'MPO':
        found.append('first of several frames')
    return tuple(found)


def _plain(image, rules):
    """The image in 8-bit gray or RGB, without transparency; `num_channels` None = as it is."""
    gray = rules.num_channels == 1 or not rules.num_channels and image.mode in _GRAY_MODES
    image = _eight_bits(image)
    if image.has_transparency_data:
        canvas = Image.new('RGBA', image.size, rules.background)
        canvas.alpha_composite(image.convert('RGBA'))
        image = canvas
    return image.convert('L' if gray else 'RGB')


def _eight_bits(image):
    """16-bit gray is scaled (Pillow's own conversion would clip it); other modes pass."""
    if image.mode == 'F':
        raise Unusable('has floating-point pixels of unknown range')
    if not image.mode.startswith('I'):
        return image
    pixels = np.asarray(image).astype(np.int64)
    if pixels.min() < 0 or pixels.max() > 65535:
        raise Unusable('has 32-bit pixels of unknown range')
    return Image.fromarray(((pixels + 128) // 257).astype(np.uint8))


def _centre(image, side, background=None):
    """The middle `side` x `side` pixels; where the image is smaller, with background around."""
    left, top = (image.width - side) // 2, (image.height - side) // 2
    if background is None:
        return image.crop((left, top, left + side, top + side))
    canvas = Image.new(image.mode, (side, side), background)
    canvas.paste(image, (-left, -top))
    return canvas
