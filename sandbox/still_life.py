"""What lies about on the demo's posters: leaves, nuts, beans, an orange; and the brand's sign."""

import math

from sandbox.drawing import Canvas, Gradient, Point, curve, ellipse, fade, place, ribbon

NIGHT, PLUM, FOREST = "#1d1233", "#4a2150", "#16302b"
CORAL, COPPER, APRICOT, STRAW = "#c9504a", "#e8783c", "#f7b368", "#fde3ae"
CREAM, MILK, ESPRESSO, BARK = "#fbeed9", "#fffaf0", "#2b1410", "#4a2517"
RUST, OCHRE = "#b8452b", "#d98e2b"


def shade(canvas: Canvas, shape: list[Point], far: float, opacity: float = 0.35) -> None:
    """Let a thing throw its shadow: the light comes from the upper left."""
    canvas.fill([(x + far, y + far * 1.25) for x, y in shape], "#43200f", opacity=opacity, blur=far)


def orange(canvas: Canvas, at: Point, radius: float) -> None:
    """A slice of orange: peel, white, and nine segments."""
    slice_ = ellipse(at, radius * 2, radius * 2)
    shade(canvas, slice_, 14, 0.5)
    canvas.fill(slice_, fade("#f79a2e", "#d9641a"))
    canvas.fill(ellipse(at, radius * 1.82, radius * 1.82), "#fff0cf")
    for step in range(9):
        wedge = curve(
            [(9, 0), (radius * 0.8, -radius * 0.25), (radius * 0.8, radius * 0.25)], closed=True
        )
        segment = place(wedge, at, turn=step * 40 + 12)
        canvas.fill(segment, Gradient(((0, "#ffb545"), (1, "#f58a1f")), "out"))
        canvas.line(
            place([(34, -4), (radius * 0.6, -12)], at, turn=step * 40 + 12), STRAW, 4, opacity=0.7
        )


def peel(canvas: Canvas, at: Point, turn: float) -> None:
    """A curl of orange peel, with the white of its inside along the edge."""
    spiral = [
        ((104 - a * 8.6) * math.cos(a) + a * 5, (84 - a * 6.4) * math.sin(a))
        for a in (step / 12 for step in range(112))
    ]
    band = ribbon(spiral, [4, 40, 46, 44, 40, 34, 26, 8])
    curl = place(band, at, turn=turn)
    shade(canvas, curl, 10, 0.5)
    canvas.fill(curl, fade("#ffa63c", "#e2680f"))
    inner = [(x * 0.85 + 4, y * 0.83) for x, y in spiral[6:-10]]
    canvas.line(place(inner, at, turn=turn), "#ffe6bd", 7, opacity=0.9)


def hazelnut(canvas: Canvas, at: Point, turn: float) -> None:
    """A hazelnut with its pale cap."""
    nut = place(
        curve([(0, -58), (44, -26), (48, 24), (0, 52), (-48, 24), (-44, -26)], closed=True),
        at,
        turn=turn,
    )
    shade(canvas, nut, 12, 0.5)
    canvas.fill(nut, fade("#c98543", "#8a4a1f"))
    for x in (-24, -8, 8, 24):
        grain = place(curve([(x * 0.4, -48), (x * 1.3, -6), (x, 38)]), at, turn=turn)
        canvas.line(grain, "#7a3d18", 2.5, opacity=0.5)
    cap = place(
        curve([(-44, 22), (0, 34), (44, 22), (26, 50), (0, 56), (-26, 50)], closed=True),
        at,
        turn=turn,
    )
    canvas.fill(cap, "#e2bd86")
    canvas.fill(
        place(ellipse((-16, -22), 16, 34, turn=20), at, turn=turn), "#f6d09a", opacity=0.7, blur=5
    )


def bean(canvas: Canvas, at: Point, turn: float) -> None:
    """A roasted bean with its seam."""
    body = place(ellipse((0, 0), 104, 62), at, turn=turn)
    shade(canvas, body, 11, 0.5)
    canvas.fill(body, fade("#7a3b22", "#3d170f"))
    seam = place(curve([(-44, 4), (-14, -7), (16, 7), (44, -2)]), at, turn=turn)
    canvas.line(seam, "#2a0e09", 5, opacity=0.8)
    canvas.fill(place(ellipse((-12, -15), 52, 11), at, turn=turn), "#c98a5e", opacity=0.6, blur=4)


def leaf(
    canvas: Canvas,
    at: Point,
    turn: float,
    size: float,
    color: str,
    *,
    blur: float = 0.0,
    shadow: bool = False,
) -> None:
    """A beech leaf with its veins, bent a little along its rib."""
    rib = curve([(-120, 10), (-60, -2), (20, -6), (110, 8)])
    edge = ribbon(rib, [_leaf_width(step / 40) for step in range(41)])
    outline = place(edge, at, turn=turn, size=size)
    half = place([*edge[: len(rib)], *rib[::-1]], at, turn=turn, size=size)
    if shadow:
        shade(canvas, outline, 16 * size, 0.4)
    canvas.fill(outline, color, blur=blur)
    canvas.fill(half, ESPRESSO, opacity=0.18, blur=blur)
    if blur:
        return
    stalk = place(curve([(-120, 10), (-160, 26), (-178, 48)]), at, turn=turn, size=size)
    canvas.line(stalk, color, 6 * size)
    canvas.line(place(rib, at, turn=turn, size=size), STRAW, 3.5 * size, opacity=0.65)
    for step in range(7):
        x = -92 + step * 25
        reach = _leaf_width((x + 144) / 230) * 0.4
        for side in (-1, 1):
            vein = [(x, -3), (x + 12, -3 + side * reach * 0.62), (x + 24, -3 + side * reach)]
            canvas.line(
                place(curve(vein), at, turn=turn, size=size), STRAW, 1.8 * size, opacity=0.45
            )


def _leaf_width(along: float) -> float:
    """How wide a leaf is at a share of its length: full near the stalk, pointed at the tip."""
    profile = math.sin(math.pi * math.pow(min(max(along, 0.0), 1.0), 0.8))
    return 116 * math.pow(max(profile, 0.0), 0.85)


def sun(canvas: Canvas, middle: Point, radius: float, color: str) -> None:
    """The brand's sign: half a sun with its rays, over two waves."""
    x, y = middle
    arc = [(x + math.cos(a) * radius * 0.52, y - math.sin(a) * radius * 0.52) for a in _HALF_TURN]
    canvas.fill(arc, color)
    for step in range(7):
        a = math.pi * (step + 0.5) / 7
        inner, outer = radius * 0.68, radius * (1.0 if step % 2 else 0.9)
        ray = [(x + math.cos(a) * r, y - math.sin(a) * r) for r in (inner, outer)]
        canvas.line(ray, color, radius * 0.075)
    for number, reach in enumerate((1.0, 0.62)):
        wave = y + radius * (0.2 + 0.22 * number)
        canvas.line([(x - radius * reach, wave), (x + radius * reach, wave)], color, radius * 0.075)


_HALF_TURN = [math.pi * step / 60 for step in range(61)]
