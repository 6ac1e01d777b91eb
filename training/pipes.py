"""Which augmentations there are, the pipes made of them, and their options. Without TensorFlow.

Karras et al. 2020 (ADA), appendix B and figure 14.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

BLIT = ('xflip', 'rotate90', 'xint')
GEOM = ('scale', 'rotate', 'aniso', 'xfrac')
COLOR = ('brightness', 'contrast', 'lumaflip', 'hue', 'saturation')
NEED_RGB = ('hue', 'saturation')       # gray images are spared these
ALL = (*BLIT, *GEOM, *COLOR, 'imgfilter', 'noise', 'cutout')  # in the order they are applied
TRANSFER_ADAPT_KIMG = 100  # adapt_kimg of a run that begins with somebody's network
PIPES = {'blit': BLIT, 'geom': GEOM, 'color': COLOR, 'filter': ('imgfilter',), 'noise': ('noise',),
         'cutout': ('cutout',), 'bg': ALL[:7], 'bgc': ALL[:12], 'bgcf': ALL[:13],
         'bgcfn': ALL[:14], 'bgcfnc': ALL}


def transformations_of(pipe):
    """The transformations of a pipe, or of names joined by commas, in the order they are applied.

    Raises:
        ValueError: there is no such pipe or transformation.
    """
    chosen = set()
    for name in pipe.split(','):
        if name not in PIPES and name not in ALL:
            raise ValueError(f'pipe must be one of {", ".join(PIPES)}, or names out of '
                             f'{", ".join(ALL)} joined by commas; received {pipe!r}.')
        chosen.update(PIPES.get(name, (name,)))
    return tuple(name for name in ALL if name in chosen)


@dataclass(frozen=True)
class AugmentConfig:
    """What D is shown instead of images, and how often (adaptive discriminator augmentation)."""
    pipe: str = 'bgc'                  # blit, geom, color, filter, noise, cutout, bg, bgc, bgcf,
    # bgcfn, bgcfnc, or names of transformations joined by commas
    p: float = 0.0                     # probability of each transformation, at the start
    target: Optional[float] = 0.6      # of r_t, D's mean sign on reals, steers p; none = p is fixed
    interval: int = 4                  # minibatches between two adjustments of p
    adapt_kimg: float = 500            # thousands of images in which p moves by 1 at most
    xint_max: float = 0.125            # whole-pixel shifts, at most, as a share of the size
    scale_std: float = 0.2             # deviation of log2 of the scale
    rotate_max: float = 1.0            # 1 = any angle
    aniso_std: float = 0.2             # deviation of log2 of the ratio
    xfrac_std: float = 0.125           # deviation of shifts, as a share of the size
    brightness_std: float = 0.2        # deviation of what is added to [-1, 1]
    contrast_std: float = 0.5          # deviation of log2 of the factor
    hue_max: float = 1.0               # 1 = all round the colour circle
    saturation_std: float = 1.0        # deviation of log2 of the factor
    imgfilter_std: float = 1.0         # deviation of log2 of a band's gain
    noise_std: float = 0.1             # deviation of the noise's own deviation
    cutout_size: float = 0.5           # side of the square, as a share of the image's

    def __post_init__(self):
        transformations_of(self.pipe)
        rules = [('p', 0 <= self.p <= 1, '0..1'),
                 ('target', self.target is None or -1 <= self.target <= 1, 'none or -1..1'),
                 ('interval', self.interval >= 1, 'at least 1'),
                 ('adapt_kimg', self.adapt_kimg > 0, 'above 0')]
        rules += [(name, getattr(self, name) >= 0, 'at least 0')
                  for name in type(self).__dataclass_fields__ if name.endswith(
                      ('_max', '_std', '_size'))]
        for name, holds, rule in rules:
            if not holds:
                raise ValueError(f'{name} must be {rule}; received {getattr(self, name)!r}.')

    @property
    def kind(self):
        """What --aug calls it: 'ada' or 'fixed'."""
        return 'fixed' if self.target is None else 'ada'

    def transformations(self, num_channels):
        """Those of the pipe that images with so many channels are given.

        Raises:
            ValueError: there are none, or they need other images.
        """
        names = transformations_of(self.pipe)
        colors = [name for name in names if name in COLOR]
        if colors and num_channels not in (1, 3):
            raise ValueError(f'pipe {self.pipe!r}: {", ".join(colors)} need images of 1 or 3 '
                             f'channels; received {num_channels}. Take a pipe without color, such '
                             'as bg.')
        if num_channels == 1:
            names = tuple(name for name in names if name not in NEED_RGB)
        if not names:
            raise ValueError(f'pipe {self.pipe!r}: {", ".join(colors)} need RGB images; received 1 '
                             'channel. Take another pipe, such as bg or bgc.')
        return names
