"""Writes the 1,797 handwritten digits that scikit-learn carries as 32x32 PNG files.

  demo_digits.py datasets/digits-images           gray, a folder for each digit: for train.py
  demo_digits.py datasets/styles --styles         for train_translation.py: each digit in one of
                                                  three styles, train/STYLE and val/STYLE

chalk: as they are, in a light chalk of some colour on a black board. ink: dark, soft and tilted on
tinted paper. neon: their outline, bright on a dark ground of some colour. Every fifth is in val;
a file's name is its number in scikit-learn's order and the digit, such as 0123-7.png.
"""

import argparse
import colorsys
import glob
import os
import shutil

import numpy as np
from absl.flags import argparse_flags
from PIL import Image, ImageFilter

from cli import startup

NUM_DIGITS = 1797
RESOLUTION = 32
HELD_OUT = 5            # of the styles, one in so many is in val
TILT = (12, 24)         # degrees of ink's, to the right


def enlarge(digit):
    """[8, 8], 0..16 -> a gray image, 0..255, of RESOLUTION.

    Lanczos keeps the strokes sharp; bilinear blurs them and nearest leaves blocks.
    """
    gray = np.rint(digit * (255 / 16)).astype(np.uint8)
    return Image.fromarray(gray).resize((RESOLUTION, RESOLUTION), Image.Resampling.LANCZOS)


def _colour(hue, saturation, value):
    return 255 * np.array(colorsys.hsv_to_rgb(hue % 1, saturation, value))


def _blend(mask, ground, paint):
    """uint8 [R, R, 3]: `paint` where mask [R, R] is 1, `ground` where it is 0."""
    mask = mask[..., np.newaxis]
    return np.rint(ground * (1 - mask) + paint * mask).astype(np.uint8)


def chalk(gray, random):
    """A digit, an image of Pillow, in chalk."""
    mask = np.asarray(gray) / 255
    return _blend(mask, np.zeros(3), _colour(random.uniform(0, 1), random.uniform(0, 0.6), 1))


def ink(gray, random):
    """A digit in ink: blurred and tilted."""
    tilted = gray.rotate(-random.uniform(*TILT), Image.Resampling.BICUBIC)
    mask = np.asarray(tilted.filter(ImageFilter.GaussianBlur(0.8))) / 255
    paper = _colour(random.uniform(0.02, 0.18), random.uniform(0.05, 0.45), random.uniform(0.85, 1))
    return _blend(np.minimum(1.2 * mask, 1), paper, _colour(random.uniform(0.55, 0.75), 0.9, 0.35))


def neon(gray, random):
    """A digit as its outline: where the gradient of its brightness is large."""
    pixels = np.asarray(gray.filter(ImageFilter.GaussianBlur(0.6))) / 255
    slope = np.hypot(*np.gradient(pixels))
    hue = random.uniform(0, 1)
    return _blend(np.minimum(4 * slope, 1), _colour(hue, 0.9, 0.45), _colour(hue + 0.5, 0.35, 1))


STYLES = {'chalk': chalk, 'ink': ink, 'neon': neon}


def write_digits(directory):
    """Writes every digit to `directory`/CLASS/NUMBER.png, in scikit-learn's order."""
    from sklearn.datasets import load_digits
    digits = load_digits()
    for name in digits.target_names:
        os.makedirs(os.path.join(directory, str(name)))
    for number, (digit, name) in enumerate(zip(digits.images, digits.target)):
        enlarge(digit).save(os.path.join(directory, str(name), f'{number:04d}.png'))


def write_styles(directory):
    """Writes every digit in one style: the first in the first, the second in the second, ..."""
    from sklearn.datasets import load_digits
    digits, random = load_digits(), np.random.default_rng(0)
    for split in ('train', 'val'):
        for style in STYLES:
            os.makedirs(os.path.join(directory, split, style))
    for number, (digit, name) in enumerate(zip(digits.images, digits.target)):
        style = list(STYLES)[number % len(STYLES)]
        split = 'val' if number // len(STYLES) % HELD_OUT == 0 else 'train'
        Image.fromarray(STYLES[style](enlarge(digit), random)).save(
            os.path.join(directory, split, style, f'{number:04d}-{name}.png'))


def command_line():
    """The parser of all flags."""
    parser = argparse_flags.ArgumentParser(prog='demo_digits.py', description=__doc__,
                                           formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('image_dir', help='folder to write, such as datasets/digits-images')
    parser.add_argument('--styles', action='store_true', help='draw each in one of three styles')
    return parser


def main(args):
    directory = os.path.normpath(args.image_dir)
    write, pattern = ((write_styles, '*/*/????-?.png') if args.styles else
                      (write_digits, '?/????.png'))
    if os.path.exists(directory):
        if len(glob.glob(os.path.join(glob.escape(directory), pattern))) == NUM_DIGITS:
            print(f'{directory} holds the {NUM_DIGITS} digits already')
            return
        raise ValueError(f'{directory}: exists and does not hold the {NUM_DIGITS} digits; '
                         'delete it or name another folder')
    partial = directory + '.partial'  # Renamed when whole: nobody finds half a folder.
    shutil.rmtree(partial, ignore_errors=True)
    write(partial)
    os.rename(partial, directory)
    print(f'Wrote {NUM_DIGITS} digits of {RESOLUTION}x{RESOLUTION} pixels to {directory}')


if __name__ == '__main__':
    startup.run(main, command_line)
