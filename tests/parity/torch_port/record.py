"""Records a small network of the PyTorch port's layout, drawn by PyTorch itself.

Written from what that layout is known to compute: parameters times sqrt(2 / fan-in); nearest
upscaling or a transposed convolution with the mean of four shifted kernels; bias before the blur;
noise, leaky ReLU, instance norm with 1e-5, then style. Run with PyTorch 2.9 and NumPy:

    python tests/parity/torch_port/record.py
"""

import math
import pathlib

import numpy as np
import torch
import torch.nn.functional as F

HERE = pathlib.Path(__file__).resolve().parent
WIDTHS = (8, 8, 8, 4)     # at 4x4, 8x8, 16x16, 32x32
FUSED = (3,)              # blocks that scale and convolve at once
LATENT, LAYERS, SLOPE = 8, 3, 0.2


def gain(weight, fan_in=None):
    return math.sqrt(2 / (fan_in or weight.shape[1] * weight[0][0].numel()))


def equalized(state, name, function, x, **options):
    weight = state[f'{name}.weight_orig']
    return function(x, weight * gain(weight), state[f'{name}.bias'], **options)


def shifted_mean(weight):
    weight = F.pad(weight, [1, 1, 1, 1])
    return (weight[:, :, 1:, 1:] + weight[:, :, :-1, 1:] + weight[:, :, 1:, :-1]
            + weight[:, :, :-1, :-1]) / 4


def blurred(state, name, x):
    return F.conv2d(x, state[f'{name}.weight'], padding=1, groups=x.shape[1])


def leaky(x):
    return F.leaky_relu(x, SLOPE)


def mapped(state, z):
    x = z / torch.sqrt((z ** 2).mean(dim=1, keepdim=True) + 1e-8)
    for i in range(LAYERS):
        x = leaky(equalized(state, f'style.{2 * i + 1}.linear', F.linear, x))
    return x


def styled(state, block, number, x, w, noise):
    weight = state[f'{block}.noise{number}.weight_orig']
    x = leaky(x + weight * gain(weight) * noise)
    gamma, beta = equalized(state, f'{block}.adain{number}.style.linear', F.linear,
                            w)[:, :, None, None].chunk(2, 1)
    return gamma * F.instance_norm(x, eps=1e-5) + beta


def first_layer(state, block, i, x):
    name = f'{block}.conv1'
    if i == 0:
        return state[f'{name}.input'].repeat(x.shape[0], 1, 1, 1)
    if i in FUSED:
        weight = state[f'{name}.0.weight']
        weight = shifted_mean(weight * gain(weight, weight.shape[0] * 9))
        x = F.conv_transpose2d(x, weight, state[f'{name}.0.bias'], stride=2, padding=1)
        return blurred(state, f'{name}.1', x)
    x = F.interpolate(x, scale_factor=2, mode='nearest')
    x = equalized(state, f'{name}.1.conv', F.conv2d, x, padding=1)
    return blurred(state, f'{name}.2', x)


def drawn(state, z, noise):
    w, x = mapped(state, z), z
    for i, noise_map in enumerate(noise):
        block = f'generator.progression.{i}'
        x = styled(state, block, 1, first_layer(state, block, i, x), w, noise_map)
        x = equalized(state, f'{block}.conv2.conv', F.conv2d, x, padding=1)
        x = styled(state, block, 2, x, w, noise_map)
    return equalized(state, f'generator.to_rgb.{len(noise) - 1}.conv', F.conv2d, x)


def scored(state, images):
    last = len(WIDTHS) - 1
    x = equalized(state, 'from_rgb.0.conv', F.conv2d, images)
    for i in range(last + 1):
        block = f'progression.{i}'
        if i == last:
            std = torch.sqrt(x.var(0, unbiased=False) + 1e-8).mean()
            x = torch.cat([x, std.expand(x.shape[0], 1, 4, 4)], 1)
        x = leaky(equalized(state, f'{block}.conv1.0.conv', F.conv2d, x, padding=1))
        if i == last:
            x = leaky(equalized(state, f'{block}.conv2.0.conv', F.conv2d, x))
        elif last - i in FUSED:
            weight = state[f'{block}.conv2.1.weight']
            weight = shifted_mean(weight * gain(weight))
            x = leaky(F.conv2d(blurred(state, f'{block}.conv2.0', x), weight,
                               state[f'{block}.conv2.1.bias'], stride=2, padding=1))
        else:
            x = blurred(state, f'{block}.conv2.0', x)
            x = leaky(F.avg_pool2d(equalized(state, f'{block}.conv2.1.conv', F.conv2d, x,
                                             padding=1), 2))
    return equalized(state, 'linear.linear', F.linear, x.flatten(1))


class Maker:
    """Makes parameters, all of them random: zeros would hide mistakes."""

    def __init__(self, seed):
        self.generator, self.state = torch.Generator().manual_seed(seed), {}

    def random(self, name, *shape, scale=1.0, mean=0.0):
        self.state[name] = mean + scale * torch.randn(shape, generator=self.generator)

    def layer(self, name, *shape, weight='weight_orig', biases=None):
        self.random(f'{name}.{weight}', *shape)
        self.random(f'{name}.bias', biases or shape[0], scale=0.3)

    def blur(self, name, channels):
        kernel = torch.tensor([1.0, 2.0, 1.0])
        kernel = (kernel[:, None] * kernel / 16).repeat(channels, 1, 1, 1)
        self.state.update({f'{name}.weight': kernel, f'{name}.weight_flip': kernel.flip(2, 3)})

    def epilogue(self, block, number, channels):
        self.random(f'{block}.noise{number}.weight_orig', 1, channels, 1, 1)
        self.layer(f'{block}.adain{number}.style.linear', 2 * channels, LATENT)
        self.state[f'{block}.adain{number}.style.linear.bias'][:channels] += 1


def generator(seed):
    maker = Maker(seed)
    for i, width in enumerate(WIDTHS):
        block, before = f'generator.progression.{i}', WIDTHS[max(i - 1, 0)]
        if i == 0:
            maker.random(f'{block}.conv1.input', 1, width, 4, 4)
        elif i in FUSED:
            maker.layer(f'{block}.conv1.0', before, width, 3, 3, weight='weight', biases=width)
            maker.blur(f'{block}.conv1.1', width)
        else:
            maker.layer(f'{block}.conv1.1.conv', width, before, 3, 3)
            maker.blur(f'{block}.conv1.2', width)
        maker.epilogue(block, 1, width)
        maker.layer(f'{block}.conv2.conv', width, width, 3, 3)
        maker.epilogue(block, 2, width)
        maker.layer(f'generator.to_rgb.{i}.conv', 3, width, 1, 1)
    for i in range(LAYERS):
        maker.layer(f'style.{2 * i + 1}.linear', LATENT, LATENT)
    return maker.state


def discriminator(seed):
    maker, widths = Maker(seed), WIDTHS[::-1]
    last = len(widths) - 1
    for i, width in enumerate(widths):
        block, after = f'progression.{i}', widths[min(i + 1, last)]
        maker.layer(f'from_rgb.{i}.conv', width, 3, 1, 1)
        if i == last:
            maker.layer(f'{block}.conv1.0.conv', width, width + 1, 3, 3)
            maker.layer(f'{block}.conv2.0.conv', width, width, 4, 4)
            continue
        maker.layer(f'{block}.conv1.0.conv', after, width, 3, 3)
        maker.blur(f'{block}.conv2.0', after)
        if last - i in FUSED:
            maker.layer(f'{block}.conv2.1', after, after, 3, 3, weight='weight')
        else:
            maker.layer(f'{block}.conv2.1.conv', after, after, 3, 3)
    maker.layer('linear.linear', 1, widths[-1])
    return maker.state


def main():
    states = {'generator': generator(1), 'discriminator': discriminator(2),
              'g_running': generator(3)}
    torch.save(states, HERE / 'train_step-3.model')
    random = np.random.RandomState(0)
    z = random.randn(3, LATENT).astype(np.float32)
    noise = [random.randn(3, 1, 4 << i, 4 << i).astype(np.float32) for i in range(len(WIDTHS))]
    with torch.no_grad():
        images = drawn(states['g_running'], torch.tensor(z), [*map(torch.tensor, noise)])
        coarser = drawn(states['g_running'], torch.tensor(z), [*map(torch.tensor, noise[:3])])
        scores = scored(states['discriminator'], images)
    np.savez_compressed(HERE / 'expected.npz', z=z, images=images.numpy(), scores=scores.numpy(),
                        coarser=coarser.numpy(),
                        **{f'noise{i}': noise_map for i, noise_map in enumerate(noise)})


if __name__ == '__main__':
    main()
