"""What a tick says: the reference's line, and what it lacks behind it."""

from __future__ import annotations


def tick_line(stats):
    """The reference's progress line, unchanged, with what it lacks behind it."""
    return ('tick {tick:<5d} kimg {kimg:<8.1f} lod {lod:<5.2f} minibatch {minibatch:<4d} '
            'time {time:<12s} sec/tick {sec_per_tick:<7.1f} sec/kimg {sec_per_kimg:<7.2f} '
            'maintenance {maintenance_sec:<6.1f} gpumem {gpumem_gb:<4.1f} '
            'cpumem {cpumem_gb:<5.1f} {resolution}x{resolution}  {percent:.1f}%  ETA {eta}  '
            'loss_D {loss_D:.3f} loss_G {loss_G:.3f}  images/s {images_per_sec:.1f}'
            ).format(**stats)
