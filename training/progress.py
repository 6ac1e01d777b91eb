"""What a run reports: a tick's numbers and its line, and the line of a resumed run."""

from __future__ import annotations

from runs.log import format_time, memory_gb

TIMES = ('minibatch {minibatch:<4d} '
         'time {time:<12s} sec/tick {sec_per_tick:<7.1f} sec/kimg {sec_per_kimg:<7.2f} '
         'maintenance {maintenance_sec:<6.1f} gpumem {gpumem_gb:<4.1f} '
         'cpumem {cpumem_gb:<5.1f} {resolution}x{resolution}  {percent:.1f}%  ETA {eta}  ')


def resume_line(kimg, sched):
    """Where a run resumes, in words."""
    size = f'{sched.resolution}x{sched.resolution}'
    fade = f' (fading in, {100 * (1 - sched.alpha):.0f}%)' if sched.alpha else ''
    return (f'Resuming at kimg {kimg:.1f}: {size}, lod {sched.lod:.2f}{fade}, networks and '
            'optimizers restored.')


def timing_stats(state, clock, total_kimg, seconds_left):
    """{name: number or text} of the time and memory that a run takes, of any kind."""
    seconds = float(state.seconds) + clock.uncounted()
    gpumem, cpumem = memory_gb()
    return {'images_per_sec': clock.tick_images / clock.tick_seconds,
            'time': format_time(seconds), 'seconds': seconds,
            'sec_per_tick': clock.tick_seconds,
            'sec_per_kimg': 1000 * clock.tick_seconds / clock.tick_images,
            'maintenance_sec': clock.maintenance, 'gpumem_gb': gpumem, 'cpumem_gb': cpumem,
            'percent': 100 * state.kimg / total_kimg, 'eta': format_time(seconds_left),
            'eta_sec': seconds_left}


def tick_stats(state, sched, clock, total_kimg, seconds_left, Gs_distance):
    """{name: number or text}, a line of stats.jsonl; takes the sums of the state, which start anew.

    seconds_left: to the end of the run; Gs_distance: () -> how far the moving average is from G.
    """
    return {'tick': int(state.tick) + 1, 'kimg': state.kimg, 'nimg': int(state.nimg),
            'lod': sched.lod, 'resolution': sched.resolution, 'minibatch': sched.minibatch,
            'G_lrate': sched.G_lrate, 'D_lrate': sched.D_lrate, **state.take_stats(),
            'loss_scale_G': float(state.G_opt.loss_scale.numpy()),
            'loss_scale_D': float(state.D_opt.loss_scale.numpy()),
            'Gs_distance': float(Gs_distance()),
            **state.adaptive_p.stats(),
            **timing_stats(state, clock, total_kimg, seconds_left)}


def tick_line(stats):
    """The reference's progress line, unchanged, with what it lacks behind it."""
    ends = [f'  {name} {stats[name]:.3f}' for name in ('augment', 'r_t', 'memorised')
            if name in stats]
    return ('tick {tick:<5d} kimg {kimg:<8.1f} lod {lod:<5.2f} ' + TIMES + 'loss_D {loss_D:.3f} '
            'loss_G {loss_G:.3f}  images/s {images_per_sec:.1f}').format(**stats) + ''.join(ends)
