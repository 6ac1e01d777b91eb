"""How much arithmetic a training iteration is: the 3x3 convolutions' share, which is nearly all.

A 3x3 convolution after an upscaling, or before a downscaling, is counted in full at the larger
size, 9 multiply-adds a pixel and pair of channels: the count that any implementation can be held
against. As one 4x4 convolution of stride 2 (`layers.UpConv2D`) it takes 4 of these 9.
"""

from __future__ import annotations

GENERATOR_PASSES = 4       # D's fakes; G's step forward, and backward to inputs and to weights
DISCRIMINATOR_PASSES = 11  # 3 for fakes, 6 for reals with R1, 2 in G's step
FUSED = 4 / 9              # of the multiply-adds, where the form of stride 2 is taken


def pass_flops(config, resolution, fused=False):
    """Floating point operations an image, of one pass through G or D (both have the same).

    Args:
        config: GeneratorConfig or DiscriminatorConfig.
        resolution: pixels of the images at the current level.
        fused: count what the forms of stride 2 take.
    """
    multiply_adds = 16 * 9 * config.nf(1) ** 2
    size = 8
    while size <= resolution:
        stage = size.bit_length() - 2
        fan_in, channels = config.nf(stage - 1), config.nf(stage)
        pairs = channels ** 2 + fan_in * channels * (FUSED if fused else 1)
        multiply_adds += 9 * size ** 2 * pairs
        size *= 2
    return 2 * multiply_adds


def iteration_flops(config, resolution, fused=False):
    """The same of a whole iteration: D's step with R1, and G's."""
    passes = GENERATOR_PASSES + DISCRIMINATOR_PASSES
    return passes * pass_flops(config, resolution, fused)
