"""A small studio for drawn posters: gradients, soft shapes, letters with their accents, film grain.

Coordinates are those of the finished poster; the canvas itself is larger by `SCALE` and is reduced
at the end, which makes all edges smooth.
"""

import io
import math
import random
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache

from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageFont

SCALE = 2
_FINE = 3
WIDTH, HEIGHT = 1080, 1920

Point = tuple[float, float]
Color = tuple[int, int, int]


def rgb(code: str) -> Color:
    """Read `#c4532d`."""
    return (int(code[1:3], 16), int(code[3:5], 16), int(code[5:7], 16))


# Pillow's radial gradient ends in the corners of its square, ours where the circle touches it.
_DISTANCE = Image.radial_gradient("L").point([min(255, value * 255 // 181) for value in range(256)])


@dataclass(frozen=True)
class Gradient:
    """Colours from top to bottom of what is painted, from left to right, or from the middle out."""

    stops: tuple[tuple[float, str], ...]
    kind: str = "down"

    def image(self, size: tuple[int, int]) -> Image.Image:
        """Return the gradient in that size."""
        ramp = [self._at(step / 255) for step in range(256)]
        if self.kind == "out":
            red, green, blue = (bytes(color[band] for color in ramp) for band in range(3))
            distance = _DISTANCE.resize(size, Image.Resampling.BILINEAR)
            return Image.merge("RGB", [distance.point(list(band)) for band in (red, green, blue)])
        strip = Image.new("RGB", (1, 256) if self.kind == "down" else (256, 1))
        strip.putdata(ramp)
        return strip.resize(size, Image.Resampling.BICUBIC)

    def _at(self, place: float) -> Color:
        before = max((stop for stop in self.stops if stop[0] <= place), default=self.stops[0])
        after = min((stop for stop in self.stops if stop[0] >= place), default=self.stops[-1])
        share = (place - before[0]) / (after[0] - before[0]) if after[0] > before[0] else 0.0
        pairs = zip(rgb(before[1]), rgb(after[1]), strict=True)
        red, green, blue = (round(one + (other - one) * share) for one, other in pairs)
        return (red, green, blue)


Paint = str | Gradient


def fade(*colors: str, kind: str = "down") -> Gradient:
    """Return an even gradient through these colours."""
    last = len(colors) - 1
    return Gradient(tuple((place / last, color) for place, color in enumerate(colors)), kind)


class Canvas:
    """A poster in the making."""

    def __init__(self, ground: Paint) -> None:
        """Begin with a ground that fills the poster."""
        self.image = Image.new("RGB", (WIDTH * SCALE, HEIGHT * SCALE))
        self.fill([(0, 0), (WIDTH, 0), (WIDTH, HEIGHT), (0, HEIGHT)], ground)

    def fill(
        self, points: Iterable[Point], paint: Paint, *, opacity: float = 1.0, blur: float = 0.0
    ) -> None:
        """Fill a shape; its gradient spans the shape, and `blur` softens its edge."""
        soft = blur * SCALE
        mask = _Mask(points, room=3 * soft)
        mask.brush.polygon(mask.path, fill=255)
        self._paint_through(_blurred(mask.smooth(), soft), mask.corner, paint, opacity)

    def line(
        self, points: Iterable[Point], paint: Paint, width: float, *, opacity: float = 1.0
    ) -> None:
        """Draw a line with round joints and ends."""
        mask = _Mask(points, room=width * SCALE)
        half = width * SCALE * _FINE / 2
        mask.brush.line(mask.path, fill=255, width=max(1, round(half * 2)))
        for x, y in mask.path:
            mask.brush.ellipse((x - half, y - half, x + half, y + half), fill=255)
        self._paint_through(mask.smooth(), mask.corner, paint, opacity)

    def glow(self, center: Point, radius: float, color: str, opacity: float) -> None:
        """Light a round patch, brightest in its middle."""
        side = round(radius * 2 * SCALE)
        spot = _DISTANCE.point([(255 - value) ** 2 // 255 for value in range(256)])
        mask = spot.resize((side, side), Image.Resampling.BICUBIC)
        corner = (round((center[0] - radius) * SCALE), round((center[1] - radius) * SCALE))
        self._paint_through(mask, corner, color, opacity)

    def write(
        self,
        text: str,
        center: Point,
        size: float,
        paint: str,
        *,
        tracking: float = 0.0,
        weight: float = 0.0,
    ) -> None:
        """Write a centred line; `tracking` and `weight` are shares of the size."""
        letters = [unicodedata.normalize("NFD", letter) for letter in text]
        font = _font(round(size * SCALE))
        gap = tracking * size * SCALE
        advances = [font.getlength(letter[0]) + gap for letter in letters]
        x = center[0] * SCALE - (sum(advances) - gap) / 2
        y = center[1] * SCALE
        brush = ImageDraw.Draw(self.image)
        stroke = weight * size * SCALE
        for letter, advance in zip(letters, advances, strict=True):
            brush.text((x, y), letter[0], font=font, fill=paint, anchor="ls", stroke_width=stroke)
            if len(letter) > 1:
                self._write_accent(letter, (x, y), font, paint, stroke)
            x += advance

    def finish(self, *, grain: float, seed: int) -> Image.Image:
        """Return the poster in its size, with a film grain that is the same each time."""
        poster = self.image.resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS)
        chance = random.Random(seed)  # noqa: S311 - grain, not a secret
        noise = Image.frombytes("L", (WIDTH, HEIGHT), chance.randbytes(WIDTH * HEIGHT))
        noise = noise.filter(ImageFilter.GaussianBlur(0.7))
        noise = noise.point([round(128 + (value - 128) * grain) for value in range(256)])
        return ImageChops.overlay(poster, Image.merge("RGB", [noise] * 3))

    def _write_accent(
        self, letter: str, at: Point, font: ImageFont.FreeTypeFont, paint: str, stroke: float
    ) -> None:
        """Set a grave or acute accent over a letter: the built-in font has none."""
        lean = {"\u0300": 1, "\u0301": -1}[letter[1]]
        left, top, right, _ = font.getbbox(letter[0], anchor="ls")
        middle, em = at[0] + (left + right) / 2, font.size
        base, half = at[1] + top - em * 0.055 - stroke, em * 0.035 + stroke / 2
        slant = [
            (middle - lean * (em * 0.15 + half), base - em * 0.15),
            (middle - lean * (em * 0.15 - half * 1.6), base - em * 0.15),
            (middle + lean * (em * 0.06 + half), base),
            (middle + lean * (em * 0.06 - half), base),
        ]
        ImageDraw.Draw(self.image).polygon(slant, fill=paint)

    def _paint_through(
        self, mask: Image.Image, corner: tuple[int, int], paint: Paint, opacity: float
    ) -> None:
        if opacity < 1:
            mask = mask.point([round(value * opacity) for value in range(256)])
        colors: Image.Image | Color
        colors = paint.image(mask.size) if isinstance(paint, Gradient) else rgb(paint)
        box = (*corner, corner[0] + mask.width, corner[1] + mask.height)
        self.image.paste(colors, box, mask)


def as_jpeg(poster: Image.Image, *, limit: int) -> bytes:
    """Return the best JPEG of at most `limit` bytes."""
    for quality in range(92, 40, -2):
        file = io.BytesIO()
        poster.save(file, "JPEG", quality=quality, optimize=True, progressive=True)
        if file.tell() <= limit:
            return file.getvalue()
    raise ValueError(f"no JPEG of this poster fits into {limit} bytes")


# --- shapes ------------------------------------------------------------------------------------


def ellipse(center: Point, width: float, height: float, *, turn: float = 0.0) -> list[Point]:
    """Return an ellipse of that width and height, turned by so many degrees."""
    round_about = (2 * math.pi * step / 180 for step in range(180))
    shape = [(math.cos(a) * width / 2, math.sin(a) * height / 2) for a in round_about]
    return place(shape, center, turn=turn)


def curve(knots: Sequence[Point], *, closed: bool = False, steps: int = 24) -> list[Point]:
    """Return a smooth path through all knots (Catmull-Rom)."""
    count = len(knots)
    spans = count if closed else count - 1

    def knot(index: int) -> Point:
        return knots[index % count] if closed else knots[min(max(index, 0), count - 1)]

    path = [
        _between(knot(i - 1), knot(i), knot(i + 1), knot(i + 2), step / steps)
        for i in range(spans)
        for step in range(steps)
    ]
    return path if closed else [*path, knots[-1]]


def place(
    shape: Iterable[Point], center: Point, *, turn: float = 0.0, size: float = 1.0
) -> list[Point]:
    """Return a shape turned, enlarged and moved from the origin to `center`."""
    cos, sin = math.cos(math.radians(turn)) * size, math.sin(math.radians(turn)) * size
    return [(center[0] + x * cos - y * sin, center[1] + x * sin + y * cos) for x, y in shape]


def ribbon(path: Sequence[Point], widths: Sequence[float]) -> list[Point]:
    """Return the outline of a band along a path, so wide at its knots."""
    left, right = [], []
    for index, (x, y) in enumerate(path):
        before, after = path[max(index - 1, 0)], path[min(index + 1, len(path) - 1)]
        dx, dy = after[0] - before[0], after[1] - before[1]
        length = math.hypot(dx, dy) or 1.0
        at = index / (len(path) - 1) * (len(widths) - 1)
        low = min(int(at), len(widths) - 2)
        half = (widths[low] + (widths[low + 1] - widths[low]) * (at - low)) / 2
        left.append((x - dy / length * half, y + dx / length * half))
        right.append((x + dy / length * half, y - dx / length * half))
    return left + right[::-1]


def _between(a: Point, b: Point, c: Point, d: Point, t: float) -> Point:
    x, y = (
        0.5
        * (
            2 * b[axis]
            + (c[axis] - a[axis]) * t
            + (2 * a[axis] - 5 * b[axis] + 4 * c[axis] - d[axis]) * t**2
            + (3 * b[axis] - a[axis] - 3 * c[axis] + d[axis]) * t**3
        )
        for axis in (0, 1)
    )
    return (x, y)


class _Mask:
    """A shape's own small sheet, finer than the canvas, so that its edge becomes smooth."""

    def __init__(self, points: Iterable[Point], *, room: float) -> None:
        path = [(x * SCALE, y * SCALE) for x, y in points]
        xs, ys = [x for x, _ in path], [y for _, y in path]
        left, top = math.floor(min(xs) - room), math.floor(min(ys) - room)
        width, height = math.ceil(max(xs) + room) + 1 - left, math.ceil(max(ys) + room) + 1 - top
        self.corner = (left, top)
        self.path = [((x - left) * _FINE, (y - top) * _FINE) for x, y in path]
        self._sheet = Image.new("L", (width * _FINE, height * _FINE))
        self.brush = ImageDraw.Draw(self._sheet)

    def smooth(self) -> Image.Image:
        """Return the mask in the canvas's own scale."""
        return self._sheet.reduce(_FINE)


def _blurred(mask: Image.Image, radius: float) -> Image.Image:
    """Blur a mask; a wide blur is made on a smaller one, where nobody sees the difference."""
    if not radius:
        return mask
    factor = max(1, int(radius / 6))
    small = mask.resize((max(1, mask.width // factor), max(1, mask.height // factor)))
    small = small.filter(ImageFilter.GaussianBlur(radius / factor))
    return small.resize(mask.size, Image.Resampling.BICUBIC)


@cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    """Return Pillow's own font: it comes with the library, so a poster looks alike everywhere."""
    font = ImageFont.load_default(size)
    if not isinstance(font, ImageFont.FreeTypeFont):
        raise RuntimeError("this Pillow was built without FreeType, so it has no scalable font")
    return font
