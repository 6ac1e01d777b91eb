"""The network of the page, opened once: how to draw with it, and how commands name it."""

from __future__ import annotations

import shlex

from editing import latents
from editing.directions import load, sefa
from editing.moves import Move
from explorer.picture import Picture
from pictures.opening import open_sampler
from training.sampler import Sampler

MOST_DIRECTIONS = 8
STRENGTH_OF = ('explained', 'accuracy', 'agreement')  # measures that say how strong one is


def strongest(directions, count=MOST_DIRECTIONS):
    """The `count` directions that explain, or tell apart, the most; the strongest first."""
    def strength(direction):
        return max((direction.measures[name] for name in STRENGTH_OF
                    if name in direction.measures), default=0.0)
    return sorted(directions, key=strength, reverse=True)[:count]


class Studio:
    """A network, ready to draw for any number of windows; nothing in it changes.

    Args:
        sampler: training.sampler.Sampler of a network with w, with its stored noise.
        network_flags: of the commands that open it again, such as ['--network=faces.pkl'].
        directions: editing.directions.Direction; None = those of sefa.

    Attributes:
        film_sampler: the same network, compiled, as films are drawn.
        statistics: latents.WStatistics.
        moves: editing.moves.Move along the strongest of the directions.
    """

    def __init__(self, sampler, network_flags, directions=None):
        latents.check_has_w(sampler)
        self.sampler, self.network_flags = sampler, network_flags
        self.film_sampler = Sampler(sampler.Gs, sampler.level + sampler.alpha, compiled=True)
        self.statistics = latents.statistics(sampler)
        if directions is None:
            directions = sefa(sampler, range(sampler.num_layers), MOST_DIRECTIONS,
                              self.statistics) if sampler.num_layers else []
        self.moves = [Move(one, one.layers) for one in strongest(directions)]

    @property
    def resolutions(self):
        """['4x4', '8x8', ...]: those whose styles can be mixed."""
        return [f'{4 << i}x{4 << i}' for i in range(self.sampler.num_layers // 2)]

    def command(self, script, *flags):
        """The command line of a script of this project, for this network."""
        return shlex.join(['python', script, *self.network_flags, *flags])

    def draw(self, saved):
        """uint8 [H, W, C] of the one image of a SavedW, as generate.py draws it."""
        return self.sampler.numbered(saved.w, 1, saved.noise)[0]

    def picture(self, name, saved):
        """The Picture of the one image of a SavedW, which is drawn again from its file."""
        command = self.command('generate.py', f'--w={name}.npz')
        return Picture(name, self.draw(saved), saved, command)


def open_studio(network, directions=(), cache_dir=None, which=None, lod=None,
                allow_other_network=False):
    """The Studio of a network file, a URL or a short name.

    Args:
        directions: paths of files that edit.py directions wrote; none = those of sefa.
        allow_other_network: take directions of another network file of this shape.
        Others as pictures.opening.open_sampler has them.
    """
    sampler = open_sampler(network, 'full', cache_dir, which, lod)
    latents.check_has_w(sampler)
    given = {'network': network, 'which': which, 'lod': lod, 'cache_dir': cache_dir}
    network_flags = [f'--{name}={value}' for name, value in given.items() if value is not None]
    found = {}
    for path in directions:
        found.update(load(path, sampler, allow_other_network))
    return Studio(sampler, network_flags, list(found.values()) if directions else None)
