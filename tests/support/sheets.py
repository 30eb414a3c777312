"""The codes of a printed sheet as pictures, drawn from the very shapes that a printer draws."""

import re

from PIL import Image, ImageDraw

SCALE = 6


def codes_of(page: str, what: str) -> list[Image.Image]:
    """Return the codes of one group, by the beginning of their captions."""
    return [_drawn(svg) for svg in re.findall(rf"<figure>(<svg.*?</svg>)<figcaption>{what}", page)]


def _drawn(svg: str) -> Image.Image:
    """Draw what a page's code is: a white square, and black runs one module high."""
    side = re.search(r'viewBox="0 0 (\d+) \1"', svg)
    assert side is not None
    width = int(side[1])
    picture = Image.new("L", (width * SCALE, width * SCALE), 255)
    pen = ImageDraw.Draw(picture)
    for x, y, length in re.findall(r"M(\d+) (\d+)h(\d+)v1h-\3z", svg):
        left, top = int(x) * SCALE, int(y) * SCALE
        pen.rectangle((left, top, left + int(length) * SCALE - 1, top + SCALE - 1), fill=0)
    return picture
