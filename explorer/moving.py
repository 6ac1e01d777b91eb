"""The tab Directions: a picture that is moved along directions in w."""

from __future__ import annotations

from editing.moves import moved

ENDING = '-moved'
FARTHEST = 5.0   # deviations, either way, of a slider


def words(move):
    """What a slider is called: 'sefa-1 (explained 0.042)'."""
    known = ', '.join(f'{name} {value:.2g}' for name, value in move.direction.measures.items())
    return move.direction.name + (f' ({known})' if known else '')


def moved_picture(studio, start, strengths):
    """The Picture `start` moved along each of the studio's moves, so far as its strength says."""
    chosen = [(move, strength) for move, strength in zip(studio.moves, strengths) if strength]
    w = moved(start.saved.w, *zip(*chosen)) if chosen else start.saved.w
    name = start.name if start.name.endswith(ENDING) else f'{start.name}{ENDING}'
    return studio.picture(name, start.saved._replace(w=w))
