"""An mp4 file of a stream of frames: each goes to ffmpeg as it comes, none is kept."""

from __future__ import annotations

import itertools
import os
import subprocess
import tempfile

import imageio_ffmpeg
import numpy as np

# Visually lossless; plays everywhere (4:2:0), from the first bytes on; colours as HD has them.
ENCODER = ('-an -c:v libx264 -preset medium -crf 18 -pix_fmt yuv420p -movflags +faststart '
           '-vf scale=out_color_matrix=bt709:out_range=tv -colorspace bt709 -color_primaries bt709 '
           '-color_trc bt709 -f mp4').split()


def check_path(path):
    """ValueError unless `path` can become a film."""
    if not path.endswith('.mp4'):
        raise ValueError(f'--output={path}: must end in .mp4; name it {path}.mp4, say.')
    if os.path.isdir(path):
        raise ValueError(f'--output={path}: is a directory; name a file.')


def write_mp4(path, frames, fps):
    """Writes uint8 frames [H, W, 1 or 3], all alike, beside `path`, then renames; returns how many.

    Raises:
        OSError: ffmpeg failed; with its words. What was there before stays.
    """
    frames = iter(frames)
    first = _for_encoder(next(frames))
    os.makedirs(os.path.dirname(path) or '.', exist_ok=True)
    unfinished = f'{path}.part'
    size = f'{first.shape[1]}x{first.shape[0]}'
    command = [imageio_ffmpeg.get_ffmpeg_exe(), '-v', 'error', '-y', '-f', 'rawvideo', '-pix_fmt',
               'rgb24', '-s', size, '-r', str(fps), '-i', '-', *ENCODER, unfinished]
    count = 0
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                                   stderr=errors, start_new_session=True)  # Ctrl-C is for us
        try:
            for frame in itertools.chain([first], map(_for_encoder, frames)):
                process.stdin.write(frame.data)
                count += 1
            process.stdin.close()
            _check(process, path, errors)
            os.replace(unfinished, path)
        except BrokenPipeError:
            _check(process, path, errors)
            raise
        finally:
            process.kill()
            process.wait()
            if os.path.exists(unfinished):
                os.remove(unfinished)
    return count


def _check(process, path, errors):
    if process.wait() != 0:
        errors.seek(0)
        words = ' '.join(errors.read().decode('utf-8', 'replace').split())
        raise OSError(f'{path}: the film could not be written; ffmpeg says: {words[:300]}')


def _for_encoder(frame):
    """Contiguous RGB with an even width and height, which 4:2:0 needs: an edge is doubled."""
    height, width, channels = frame.shape
    frame = np.pad(frame, [(0, height % 2), (0, width % 2), (0, 0)], 'edge')
    return np.ascontiguousarray(np.repeat(frame, 3 // channels, axis=2))
