"""A translation run's files for people: sheets, network files, metrics of each snapshot."""

from __future__ import annotations

import numpy as np

from training import outputs
from translation import sheets, snapshot
from translation.data import in_range, pixels
from translation.sampler import Translator, to_still

PSIS = (0.5, 0.7, 1.0)   # of the latent sheets (section 7 of the facts: the published ones)
SHEET_SEED = 1           # what a draw is for, folded into the run's seed


class RunSheets:
    """The same sources, references and latents all through a run, drawn again and again."""

    def __init__(self, config, images, translator):
        """Args: images: DomainImages to validate with; as many of each domain as can be."""
        self.translator = translator
        random = np.random.RandomState([config.seed, SHEET_SEED])
        count, size = config.sheet_images, config.networks.img_size
        domains = len(images.domains)
        self.sources, self.y_src = self._drawn(images, random, size,
                                               [i * domains // count for i in range(count)])
        self.references, self.y_ref = self._drawn(images, random, size,
                                                  [i % domains for i in range(count)])

    @staticmethod
    def _drawn(images, random, size, y):
        members = [images.members[domain][random.randint(len(images.members[domain]))]
                   for domain in y]
        rows = np.stack([pixels(images.read(member), size) for member in members])
        return in_range(rows), np.array(y, np.int32)

    def given(self):
        """uint8 [H, W, 3]: the sources, the references below them."""
        return sheets.arranged([[[*to_still(self.sources)], [*to_still(self.references)]]])

    def drawn(self):
        """Yields (name, uint8 [H, W, 3]) of each sheet of the networks as they are."""
        translator, averages = self.translator, self.translator.averages()
        for psi in PSIS:
            yield f'latent_psi_{psi}', sheets.latent_sheet(translator, self.sources, psi, averages)
        styles = translator.styles_of_images(self.references, self.y_ref)
        yield 'reference', sheets.reference_sheet(translator, self.sources, self.references, styles)
        yield 'cycle_consistency', sheets.cycle_sheet(translator, self.sources, self.y_src,
                                                      self.references, self.y_ref)


class Outputs(outputs.Outputs):
    """Writes them into a run's directory, as far as the disk has room."""

    def __init__(self, config, run_dir, state, log, images, metrics, domains, mask_fn=None):
        """Args: images: DomainImages to validate with; domains: their names."""
        super().__init__(config, run_dir, state, log,
                         RunSheets(config, images, Translator(state, mask_fn)), metrics)
        self.domains = domains

    def begin(self, sched, memory):
        """reals.png: what the sheets will show translations of."""
        self._save_grid('reals', 'reals.png', self.grid.given())

    def _save_fakes(self, sched, memory):
        with memory.explained('drawing the sheets', sched, is_whole=True):
            for name, picture in self.grid.drawn():
                self._save_grid(name, f'{name}-{int(self.state.kimg):06d}.png', picture)

    def _held(self, sched):
        state = self.state
        return snapshot.Snapshot(state.config, tuple(self.domains), kimg=state.kimg,
                                 iteration=int(state.nimg) // self.config.batch,
                                 **{part: getattr(state, part) for part in state.NETWORKS})

    def _write_networks(self, path, sched):
        held = self._held(sched)
        snapshot.save(path, held, self.domains, held.kimg, held.iteration)
