"""Every option of StarGAN v2: the networks with their losses and rates."""

from __future__ import annotations

from dataclasses import dataclass

from training.config import MAX_RESOLUTION, MAX_WIDTH, is_power_of_two, require

BOTTOM = {False: 16, True: 8}   # {with the high-pass: size in pixels of G's smallest features}


@dataclass(frozen=True)
class TranslationConfig:
    """Networks, losses and rates of StarGAN v2 (Choi et al. 2020, section 2 and appendix)."""
    img_size: int = 256            # pixels, power of two
    num_domains: int = 2           # K: what images are translated between
    latent_dim: int = 16           # components of z
    hidden_dim: int = 512          # width of the mapping network
    style_dim: int = 64            # components of s
    conv_dim_base: int = 16384     # feature maps at full size: conv_dim_base // img_size
    max_conv_dim: int = 512        # feature maps at most, from the second width on
    w_hpf: float = 0.0             # high-pass of G's skips (they need face masks); 0 = no skips
    lambda_reg: float = 1.0        # weight of R1 on reals
    lambda_sty: float = 1.0        # weight of the style reconstruction
    lambda_ds: float = 1.0         # weight of the diversity at iteration 0
    lambda_cyc: float = 1.0        # weight of the cycle consistency
    ds_iter: int = 100000          # iterations until lambda_ds has fallen to 0
    lr: float = 1e-4               # learning rate of G, E and D
    f_lr: float = 1e-6             # learning rate of F
    beta1: float = 0.0             # Adam's decay of the first moment
    beta2: float = 0.99            # Adam's decay of the second moment
    weight_decay: float = 1e-4     # times the weight, added to its gradient
    ema_beta: float = 0.999        # decay of the averages Gs, Fs and Es in one iteration

    def __post_init__(self):
        least = 2 * BOTTOM[self.w_hpf > 0]
        require(is_power_of_two(self.img_size) and least <= self.img_size <= MAX_RESOLUTION,
                'img_size', f'a power of two from {least} up', self.img_size)
        for name in ('num_domains', 'latent_dim', 'hidden_dim', 'style_dim', 'max_conv_dim'):
            value = getattr(self, name)
            require(isinstance(value, int) and 1 <= value <= MAX_WIDTH, name,
                    f'an integer within 1..{MAX_WIDTH}', value)
        require(1 <= self.widths[0] <= MAX_WIDTH, 'conv_dim_base',
                f'at least img_size, {self.img_size}, for one feature map', self.conv_dim_base)
        for name in ('w_hpf', 'lambda_reg', 'lambda_sty', 'lambda_ds', 'lambda_cyc', 'lr', 'f_lr',
                     'weight_decay'):
            require(getattr(self, name) >= 0, name, 'at least 0', getattr(self, name))
        require(self.ds_iter >= 1, 'ds_iter', 'at least 1', self.ds_iter)
        for name in ('beta1', 'beta2', 'ema_beta'):
            require(0 <= getattr(self, name) < 1, name, 'within 0..1, 1 left out',
                    getattr(self, name))

    @property
    def resolution_log2(self):
        """R: log2 of img_size."""
        return self.img_size.bit_length() - 1

    @property
    def num_down(self):
        """n: how often G halves the image."""
        return (self.img_size // BOTTOM[self.w_hpf > 0]).bit_length() - 1

    @property
    def widths(self):
        """Feature maps after 0, 1, 2, ... halvings of the image, down to 4x4."""
        widths = [self.conv_dim_base // self.img_size]
        for _ in range(self.resolution_log2 - 2):
            widths.append(min(2 * widths[-1], self.max_conv_dim))
        return tuple(widths)


PRESETS = {
    'celeba_hq': TranslationConfig(num_domains=2, w_hpf=1.0, lambda_ds=1.0),
    'afhq': TranslationConfig(num_domains=3, w_hpf=0.0, lambda_ds=2.0),
    # Minutes on two cores. In so few iterations three times the published rates learn more.
    'small': TranslationConfig(img_size=32, num_domains=3, hidden_dim=64, style_dim=16,
                               conv_dim_base=512, max_conv_dim=64, ds_iter=5000, lr=3e-4,
                               f_lr=1e-5),
}
