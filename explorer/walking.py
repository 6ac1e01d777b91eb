"""The tab Walk: the way from picture to picture, as a strip and as a film."""

from __future__ import annotations

from explorer.picture import Picture, together
from pictures import films, mp4, stills

NAME = 'walk'
FPS = 30


def _checked(pictures):
    if len(pictures) < 2:
        raise ValueError('Keep two pictures or more on the shelf: a walk goes from one to the '
                         'next.')


def strip(studio, pictures, steps):
    """The Picture of a sheet: from each of `pictures` to the next, in a row of `steps` images."""
    _checked(pictures)
    saved = together(pictures, studio.sampler)
    command = studio.command('generate.py', f'--w={NAME}.npz', '--strip=w', f'--steps={steps}')
    return Picture(NAME, stills.strips_w(studio.sampler, saved.w, steps, saved.noise_of), saved,
                   command)


def film_command(studio, seconds, loop):
    """The command line that makes `write_film`'s film of NAME.npz."""
    return studio.command('generate_video.py', '--kind=keys', f'--w={NAME}.npz',
                          f'--seconds={seconds:g}', *([] if loop else ['--noloop']),
                          '--crop=full', f'--output={NAME}.mp4')


def write_film(studio, pictures, seconds, loop, path, progress=iter):
    """Writes the mp4 file `path`: one smooth way through the pictures, under the stored noise.

    progress: wraps the frames.
    """
    _checked(pictures)
    film = films.key_frames(together(pictures, studio.sampler).w, loop)
    frames = films.frames(studio.film_sampler, film, films.Timing(seconds, FPS, loop), columns=1)
    mp4.write_mp4(path, progress(frames), FPS)
