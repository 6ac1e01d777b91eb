"""PNG files."""

from __future__ import annotations

import io

import PIL.Image

from formats.files import write_atomically


def save_png(path, image):
    """Writes uint8 [H, W, 1 or 3] as a PNG file, which appears under `path` only when complete."""
    image = image[:, :, 0] if image.shape[2] == 1 else image
    data = io.BytesIO()
    PIL.Image.fromarray(image).save(data, format='PNG')
    write_atomically(path, data.getvalue(), durable=False)
