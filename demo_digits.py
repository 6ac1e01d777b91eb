"""Writes the 1,797 handwritten digits that scikit-learn carries as 32x32 PNG files."""

import glob
import os
import shutil

import numpy as np
from absl.flags import argparse_flags
from PIL import Image

from cli import startup

NUM_DIGITS = 1797
RESOLUTION = 32


def enlarge(digit):
    """[8, 8], 0..16 -> a gray image, 0..255, of RESOLUTION.

    Lanczos keeps the strokes sharp; bilinear blurs them and nearest leaves blocks.
    """
    gray = np.rint(digit * (255 / 16)).astype(np.uint8)
    return Image.fromarray(gray).resize((RESOLUTION, RESOLUTION), Image.Resampling.LANCZOS)


def write_digits(directory):
    """Writes every digit to `directory`/CLASS/NUMBER.png, in scikit-learn's order."""
    from sklearn.datasets import load_digits
    digits = load_digits()
    for name in digits.target_names:
        os.makedirs(os.path.join(directory, str(name)))
    for number, (digit, name) in enumerate(zip(digits.images, digits.target)):
        enlarge(digit).save(os.path.join(directory, str(name), f'{number:04d}.png'))


def command_line():
    """The parser of all flags."""
    parser = argparse_flags.ArgumentParser(prog='demo_digits.py', description=__doc__)
    parser.add_argument('image_dir', help='folder to write, such as datasets/digits-images')
    return parser


def main(args):
    directory = os.path.normpath(args.image_dir)
    if os.path.exists(directory):
        if len(glob.glob(os.path.join(glob.escape(directory), '?', '????.png'))) == NUM_DIGITS:
            print(f'{directory} holds the {NUM_DIGITS} digits already')
            return
        raise ValueError(f'{directory}: exists and does not hold the {NUM_DIGITS} digits; '
                         'delete it or name another folder')
    partial = directory + '.partial'  # Renamed when whole: nobody finds half a folder.
    shutil.rmtree(partial, ignore_errors=True)
    write_digits(partial)
    os.rename(partial, directory)
    print(f'Wrote {NUM_DIGITS} digits of {RESOLUTION}x{RESOLUTION} pixels to {directory}')


if __name__ == '__main__':
    startup.run(main, command_line)
