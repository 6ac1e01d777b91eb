"""How much arithmetic a training iteration is, and what else in it takes time. Pure Python.

A 3x3 convolution after an upscaling, or before a downscaling, is counted in full at the larger
size, 9 multiply-adds a pixel and pair of channels: the count that any implementation can be held
against. As one 4x4 convolution of stride 2 (`layers.UpConv2D`) it takes 4 of these 9.
"""

from __future__ import annotations

from typing import NamedTuple

from training.config import LossConfig

FUSED = 4 / 9              # of the multiply-adds, where the form of stride 2 is taken


def passes(losses=LossConfig(), D_repeats=1):
    """(passes of G, passes of D) in an iteration, backward ones included.

    Of G: one for each of D's fakes; its own step forward, and backward to inputs and to weights.
    Of D: three each for reals and fakes, three more for each penalty on them (six where the
    penalty has images of its own), two in G's step.
    """
    penalised = {'D_logistic_simplegp': bool(losses.r1_gamma) + bool(losses.r2_gamma),
                 'D_wgan_gp': 2, 'D_hinge_gp': 2}.get(losses.D_loss, 0)
    return D_repeats + 3, D_repeats * (6 + 3 * penalised) + 2


def _blocks(config, resolution):
    """(size in pixels, channels, pairs of channels that a second, fused convolution has) of each.

    Up to `resolution`, from 8x8 on: 4x4 has one convolution, of `channels` pairs with themselves.
    """
    for stage in range(2, resolution.bit_length() - 1):
        channels = config.nf(stage)
        yield 2 ** (stage + 1), channels, config.nf(stage - 1) * channels


def pass_flops(config, resolution, fused=False):
    """Floating point operations an image, of one pass through G or D (both have the same).

    Args:
        config: GeneratorConfig or DiscriminatorConfig.
        resolution: pixels of the images at the current level.
        fused: count what the forms of stride 2 take.
    """
    multiply_adds = 16 * 9 * config.nf(1) ** 2
    for size, channels, pairs in _blocks(config, resolution):
        multiply_adds += 9 * size ** 2 * (channels ** 2 + pairs * (FUSED if fused else 1))
    return 2 * multiply_adds


def iteration_flops(config, resolution, fused=False):
    """The same of a whole iteration: D's step with R1, and G's."""
    return sum(passes()) * pass_flops(config, resolution, fused)


def _values(config, resolution):
    """Activations an image, of one pass: two layers at each size."""
    return 2 * (16 * config.nf(1) + sum(size ** 2 * channels for size, channels, _ in
                                        _blocks(config, resolution)))


def _kernel_weights(config, resolution):
    """Those of the 3x3 convolutions."""
    return 9 * (config.nf(1) ** 2 + sum(channels ** 2 + pairs for _, channels, pairs in
                                        _blocks(config, resolution)))


def _rgb_flops(config, resolution):
    """Operations an image of the layer that makes or takes images of `resolution`."""
    stage = resolution.bit_length() - 2
    return 2 * config.num_channels * config.nf(stage) * resolution ** 2


class Costs(NamedTuple):
    """What takes time beside convolutions, each in as many of their operations as last as long."""
    value: float      # an activation, in each pass: noise, bias, nonlinearity, norm, style
    weight: float     # a kernel's weight, in each iteration: scaling, gradient, update, average
    iteration: float  # starting the operations of an iteration


# CPU: fitted to benchmarks/README.md, the demo's and the paper's width at 8x8 to 64x64. GPU: not
# measured; a convolution's operation is cheaper there beside all else.
CPU_COSTS, GPU_COSTS = Costs(400, 3500, 2.4e9), Costs(1600, 3500, 3e11)


def costs_of(has_gpu):
    """The Costs of a machine."""
    return GPU_COSTS if has_gpu else CPU_COSTS


def iteration_work(config, sched, costs):
    """An iteration of a run, on each replica, in operations of convolutions.

    Args:
        config: RunConfig.
        sched: Schedule; while it fades, RGB layers of both levels are counted.
    """
    images, size, work = sched.minibatch / config.num_gpus, sched.resolution, costs.iteration
    for network, count in zip((config.G, config.D), passes(config.losses, config.D_repeats)):
        an_image = (pass_flops(network, size, fused=True) + _rgb_flops(network, size)
                    + (_rgb_flops(network, size // 2) if sched.alpha else 0)
                    + costs.value * _values(network, size))
        work += images * count * an_image + costs.weight * _kernel_weights(network, size)
    return work
