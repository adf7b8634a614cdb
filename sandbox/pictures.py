"""Draw the demo story's three frames: Caffè Aurora's autumn, at dawn, in the cup and in the bag.

Usage: python -m sandbox.pictures [folder]
"""

import math
import random
import sys
from collections.abc import Callable
from pathlib import Path

from PIL import Image

from sandbox.drawing import (
    HEIGHT,
    WIDTH,
    Canvas,
    Gradient,
    Point,
    as_jpeg,
    curve,
    ellipse,
    fade,
    place,
    ribbon,
)
from sandbox.still_life import (
    APRICOT,
    BARK,
    COPPER,
    CORAL,
    CREAM,
    FOREST,
    MILK,
    NIGHT,
    OCHRE,
    PLUM,
    RUST,
    STRAW,
    bean,
    hazelnut,
    leaf,
    orange,
    peel,
    shade,
    sun,
)

FOLDER = Path(__file__).with_name("demo_story")
LIMIT = 290_000
"""Bytes of a frame: small enough for every platform and a slow phone."""


def dawn() -> Image.Image:
    """First frame: a cup on a window sill, the sun coming up over the gulf of Trieste."""
    sky = Gradient(
        ((0, NIGHT), (0.2, PLUM), (0.4, "#a63f56"), (0.52, COPPER), (0.62, APRICOT), (1, STRAW))
    )
    canvas = Canvas(sky)
    chance = random.Random(11)  # noqa: S311 - a picture, not a secret
    for _ in range(110):
        star = (chance.uniform(30, WIDTH - 30), chance.uniform(30, 560))
        radius = chance.uniform(1.5, 4)
        if 150 < star[0] < 930 and star[1] > 90:
            continue  # No star among the letters.
        canvas.fill(ellipse(star, radius, radius), MILK, opacity=1 - star[1] / 640)
    _aurora(canvas)
    _gulf(canvas)
    _sill(canvas)
    _steam(canvas, (500, 1300), 650)
    _cup(canvas, (540, 1300), 430)
    _wordmark(canvas, (540, 212), CREAM)
    canvas.write("Il primo freddo,", (540, 430), 118, MILK, weight=0.012, tracking=-0.012)
    canvas.write("la prima tazza.", (540, 566), 118, MILK, weight=0.012, tracking=-0.012)
    canvas.write("TOSTATO ALL’ALBA · TRIESTE", (540, 1800), 32, APRICOT, tracking=0.24)
    return canvas.finish(grain=0.16, seed=1)


def _aurora(canvas: Canvas) -> None:
    """Thin bands of morning cloud, lit from below."""
    for y, drop, width, color, opacity in (
        (700, 60, 70, CORAL, 0.35),
        (780, -50, 46, APRICOT, 0.3),
        (852, 36, 60, "#ff9d5c", 0.4),
        (925, -26, 30, STRAW, 0.4),
    ):
        path = curve([(-80, y), (260, y + drop), (620, y - drop * 0.6), (1160, y + drop * 0.8)])
        canvas.fill(ribbon(path, [0, width, width * 0.4, width, 0]), color, opacity=opacity, blur=9)


def _gulf(canvas: Canvas) -> None:
    """The sun, the hills of the Karst with a lighthouse, and the sea below them."""
    horizon = 1180
    canvas.glow((540, horizon - 70), 940, "#ffd68a", 0.8)
    canvas.fill(ellipse((540, horizon - 60), 500, 500), fade("#fff6d8", "#ffdf94", "#ffb45e"))
    far = curve([(-60, 1130), (150, 1078), (330, 1120), (480, 1160), (600, 1182), (700, 1190)])
    near = curve([(480, 1192), (700, 1150), (840, 1096), (960, 1068), (1140, 1010)])
    canvas.fill([*far, (700, 1230), (-60, 1230)], fade("#93425a", "#b4585a"))
    _lighthouse(canvas, (150, 1084))
    canvas.fill([*near, (1140, 1230), (480, 1230)], fade("#6b2c50", "#914357"))
    sea = [(0, horizon), (WIDTH, horizon), (WIDTH, 1600), (0, 1600)]
    canvas.fill(sea, fade("#e98a55", "#a84a58", "#4a2150"))
    chance = random.Random(5)  # noqa: S311
    canvas.glow((540, horizon + 20), 560, "#ffd68a", 0.5)
    for step in range(64):
        y = horizon + 4 + step * 5.8
        reach = 300 + step * 2.2
        x = 540 + chance.uniform(-0.5, 0.5) * reach
        wave = ellipse((x, y), reach * chance.uniform(0.25, 1.0), 3 + step * 0.07)
        canvas.fill(wave, "#ffe2a0", opacity=0.8 - step * 0.01)


def _lighthouse(canvas: Canvas, foot: Point) -> None:
    x, y = foot
    canvas.glow((x, y - 104), 120, STRAW, 0.8)
    canvas.fill([(x - 13, y), (x - 8, y - 92), (x + 8, y - 92), (x + 13, y)], "#7d3552")
    canvas.fill([(x - 13, y - 92), (x + 13, y - 92), (x + 13, y - 97), (x - 13, y - 97)], "#5c2547")
    canvas.fill(ellipse((x, y - 106), 16, 20), "#fff3c4")
    canvas.fill([(x - 10, y - 113), (x + 10, y - 113), (x, y - 132)], "#5c2547")


def _sill(canvas: Canvas) -> None:
    """The stone the cup stands on, with the first light on its edge."""
    top = 1560
    slab = [(0, top), (WIDTH, top), (WIDTH, HEIGHT), (0, HEIGHT)]
    canvas.fill(slab, fade("#42193f", "#2a1133", NIGHT))
    canvas.fill([(0, top), (WIDTH, top), (WIDTH, top + 7), (0, top + 7)], COPPER, opacity=0.9)
    canvas.glow((540, top + 30), 560, CORAL, 0.4)


def _cup(canvas: Canvas, rim: Point, width: float) -> None:
    """A cup from the side against the light: bright edges, warm shadow."""
    x, y = rim
    half, deep = width / 2, width * 0.62
    canvas.fill(ellipse((x, y + deep + 42), width * 1.9, 54), NIGHT, opacity=0.55, blur=16)
    saucer = ellipse((x, y + deep + 18), width * 1.72, 62)
    canvas.fill(saucer, fade("#fff1d6", "#e8a983", "#8c4057", kind="across"))
    canvas.fill(ellipse((x, y + deep + 10), width * 1.5, 38), "#b9655f", opacity=0.55)
    ear = curve(
        [
            (x + half - 30, y + 62),
            (x + half + 60, y + 38),
            (x + half + 104, y + 92),
            (x + half + 52, y + 168),
            (x + half - 76, y + 204),
        ]
    )
    canvas.line(ear, "#7d3850", 42)
    canvas.line(ear, "#bf7269", 32)
    canvas.line([(px + 2, py - 8) for px, py in ear[6:-22]], "#ffdcae", 8, opacity=0.9)
    canvas.fill(ellipse((x, y + deep + 6), 236, 50), fade("#e3a37f", "#7d3850", kind="across"))
    side = curve([(x - half, y), (x - half + 14, y + deep * 0.45), (x - 100, y + deep)])
    other = [(2 * x - px, py) for px, py in reversed(side)]
    body = [*side, *curve([(x - 100, y + deep), (x, y + deep + 14), (x + 100, y + deep)]), *other]
    light = Gradient(
        ((0, "#ffe9c4"), (0.1, "#f3bd92"), (0.42, "#c4706a"), (0.8, "#a04c5e"), (1, "#f0b083")),
        "across",
    )
    canvas.fill(body, light)
    canvas.fill(ellipse(rim, width, 70), "#ffefd0")
    canvas.fill(ellipse((x, y + 2), width - 20, 55), "#8b3f4b")
    canvas.fill(ellipse((x, y + 8), width - 36, 42), fade("#3a1618", "#7a3a26", kind="across"))
    sun(canvas, (x, y + deep * 0.52), 44, "#ffe9c4")


def _steam(canvas: Canvas, foot: Point, tall: float) -> None:
    """Breaths of steam that lean into each other, widen and fade as they rise."""
    x, y = foot
    for shift, lean, width, opacity in (
        (-70, 54, 70, 0.30),
        (10, -70, 110, 0.36),
        (84, 62, 80, 0.28),
        (36, 40, 40, 0.30),
    ):
        knots = [
            (
                x + shift + lean * math.sin(step * 0.95 + shift) * (0.25 + step / 6),
                y - tall * step / 7,
            )
            for step in range(8)
        ]
        path = curve(knots)
        for share, soft in ((1.0, 22), (0.45, 10)):
            widths = [width * share * part for part in (0.2, 0.8, 0.5, 1.0, 0.5, 0.9, 0.0)]
            canvas.fill(ribbon(path, widths), "#fff4e0", opacity=opacity * 0.8, blur=soft)


def blend() -> Image.Image:
    """Second frame: the cup from above, with what is in the blend around it."""
    canvas = Canvas(fade("#f9dfb8", "#f3c78d"))
    canvas.glow((300, 300), 1250, "#fff6e2", 0.9)
    middle = (540, 1010)
    for at, turn, size, color in (
        ((140, 690), 35, 1.25, RUST),
        ((980, 1330), 205, 1.35, "#8f3a22"),
        ((960, 640), 140, 1.0, OCHRE),
        ((105, 1400), -50, 1.05, OCHRE),
    ):
        leaf(canvas, at, turn, size, color, shadow=True)
    _saucer(canvas, middle)
    _coffee(canvas, middle)
    orange(canvas, (190, 1010), 128)
    peel(canvas, (836, 742), 160)
    for at, turn in (((252, 1332), -18), ((356, 1432), 24), ((208, 1474), 200)):
        hazelnut(canvas, at, turn)
    for at, turn in (((790, 1408), 30), ((900, 1350), -25), ((868, 1470), 75), ((722, 1480), 110)):
        bean(canvas, at, turn)
    for at, turn in (((292, 690), -30), ((368, 640), 40)):
        hazelnut(canvas, at, turn)
    _wordmark(canvas, (540, 212), BARK)
    canvas.write("Miscela Aurora", (540, 440), 132, "#5a1f1a", weight=0.012, tracking=-0.015)
    canvas.write("NOCCIOLA · CACAO · SCORZA D’ARANCIA", (540, 1690), 38, BARK, tracking=0.12)
    canvas.write("250 g di autunno", (540, 1790), 50, RUST)
    return canvas.finish(grain=0.14, seed=2)


def _saucer(canvas: Canvas, middle: Point) -> None:
    plate = ellipse(middle, 760, 760)
    shade(canvas, plate, 34, 0.5)
    canvas.fill(plate, fade("#d9603a", "#a83a26"))
    canvas.fill(ellipse(middle, 716, 716), fade("#a93b27", "#d8633d"))
    canvas.fill(ellipse(middle, 690, 690), fade("#cf5634", "#b5432b"))
    ear = place(
        ribbon(curve([(0, 0), (80, 0), (158, 0)]), [74, 50, 44, 48, 56]), (742, 1142), turn=33
    )
    shade(canvas, ear, 16, 0.5)
    canvas.line(place([(40, 0), (150, 0)], (742, 1142), turn=33), MILK, 52)
    canvas.line(place([(40, -9), (146, -9)], (742, 1142), turn=33), "#ffffff", 12, opacity=0.7)
    canvas.line(place([(40, 19), (150, 19)], (742, 1142), turn=33), "#d9b98e", 9, opacity=0.6)


def _coffee(canvas: Canvas, middle: Point) -> None:
    """The cup, its crema, and a tulip of milk poured into it."""
    cup = ellipse(middle, 560, 560)
    shade(canvas, cup, 22, 0.55)
    canvas.fill(cup, fade(MILK, "#ecd6b6"))
    canvas.fill(ellipse(middle, 520, 520), fade("#cfae86", "#f7e6cb"))
    crema = Gradient(((0, "#b4692e"), (0.84, "#9a5222"), (0.94, "#6f3314"), (1, "#45200d")), "out")
    canvas.fill(ellipse((middle[0], middle[1] + 4), 490, 490), crema)
    x, y = middle
    heart = [
        (16 * math.sin(a) ** 3, -(13 * math.cos(a) - 5 * math.cos(2 * a) - 2 * math.cos(3 * a)))
        for a in (2 * math.pi * step / 160 for step in range(160))
    ]
    for drop, size, color in (
        (34, 11.2, "#f7e3c2"),
        (26, 9.6, "#9a5424"),
        (20, 8.5, "#fbeed6"),
        (8, 6.9, "#a05a28"),
        (0, 5.9, MILK),
        (-16, 4.0, "#b06a34"),
        (-26, 3.0, MILK),
    ):
        canvas.fill(place(heart, (x, y - 22 + drop), size=size), color, blur=1.2)
    canvas.fill(ellipse((x - 120, y - 150), 150, 46, turn=-40), MILK, opacity=0.22, blur=12)


def bag() -> Image.Image:
    """Third frame: a bag of coffee in the evening light, leaves falling around it."""
    canvas = Canvas(fade("#0e2420", FOREST, "#23463b"))
    canvas.glow((540, 930), 1150, "#e0993d", 0.6)
    canvas.glow((540, 900), 720, "#ffd48a", 0.5)
    for at, turn, size, color, blur in _FAR_LEAVES:
        leaf(canvas, at, turn, size, color, blur=blur)
    _floor(canvas)
    _pouch(canvas)
    for at, turn, size, color, blur in _NEAR_LEAVES:
        leaf(canvas, at, turn, size, color, blur=blur)
    _wordmark(canvas, (540, 212), STRAW)
    canvas.write("Solo in autunno.", (540, 420), 124, CREAM, weight=0.012, tracking=-0.015)
    canvas.write("Solo finché dura.", (540, 1790), 58, APRICOT)
    return canvas.finish(grain=0.16, seed=3)


_FAR_LEAVES = (
    ((150, 620), 30, 0.8, OCHRE, 5),
    ((930, 560), 160, 0.75, RUST, 5),
    ((830, 700), -70, 0.5, COPPER, 7),
    ((250, 840), 100, 0.55, RUST, 6),
    ((90, 1010), -20, 0.7, COPPER, 4),
    ((990, 930), 60, 0.8, OCHRE, 4),
    ((860, 1180), 220, 0.55, APRICOT, 6),
    ((210, 1220), 10, 0.5, APRICOT, 6),
)
_NEAR_LEAVES = (
    ((205, 1000), 48, 1.15, COPPER, 0),
    ((905, 790), 128, 1.1, RUST, 0),
    ((952, 1300), 200, 1.2, OCHRE, 0),
    ((170, 1440), -24, 1.3, RUST, 0),
    ((40, 720), 80, 1.9, "#c25a24", 13),
    ((1050, 1560), 230, 2.3, "#a83c22", 16),
    ((420, 1640), 165, 1.0, OCHRE, 0),
)


def _floor(canvas: Canvas) -> None:
    canvas.fill(ellipse((540, 2080), 2600, 1300), fade("#355539", "#14302a", "#0b1f1b"))
    canvas.glow((540, 1560), 640, "#e0993d", 0.4)
    canvas.fill(ellipse((560, 1545), 640, 80), "#06120f", opacity=0.75, blur=22)
    for at, turn in (((735, 1622), 20), ((822, 1590), -35), ((690, 1668), 70), ((300, 1610), 10)):
        bean(canvas, at, turn)


def _pouch(canvas: Canvas) -> None:
    """The bag: a folded top, soft sides, a paper label with a sun on it."""
    left = curve([(318, 700), (300, 900), (292, 1200), (300, 1420), (322, 1540)])
    body = [*left, *curve([(322, 1540), (540, 1566), (758, 1540)])]
    body += [(1080 - x, y) for x, y in reversed(left)]
    paper = Gradient(
        (
            (0, "#5f1e22"),
            (0.07, "#a4382e"),
            (0.3, "#cf5b3a"),
            (0.72, "#ad402e"),
            (0.95, "#6f2324"),
            (1, "#4e171d"),
        ),
        "across",
    )
    canvas.fill(body, paper)
    for x, lean in ((352, 22), (728, -22)):
        fold = ribbon(curve([(x, 715), (x + lean, 1050), (x + lean * 0.4, 1530)]), [2, 26, 4])
        canvas.fill(fold, "#3d1016", opacity=0.4, blur=8)
    canvas.fill(
        ribbon(curve([(430, 720), (420, 1040), (436, 1500)]), [10, 44, 12]),
        STRAW,
        opacity=0.2,
        blur=16,
    )
    canvas.fill([(312, 640), (768, 640), (766, 716), (314, 716)], fade("#c2523a", "#8a3029"))
    canvas.fill([(312, 706), (768, 706), (766, 728), (314, 728)], "#3d1016", opacity=0.5, blur=7)
    canvas.fill([(300, 652), (780, 652), (780, 670), (300, 670)], fade("#ffe2a4", "#c48a3a"))
    label = [(392, 840), (688, 840), (688, 1390), (392, 1390)]
    canvas.fill([(x + 4, y + 6) for x, y in label], "#3d1016", opacity=0.45, blur=6)
    canvas.fill(label, fade("#fff6e4", "#f3dcb6"))
    canvas.fill([(408, 856), (672, 856), (672, 1374), (408, 1374)], "#c4793a", opacity=0.35)
    canvas.fill([(411, 859), (669, 859), (669, 1371), (411, 1371)], fade("#fff4df", "#f4dfbc"))
    sun(canvas, (540, 1030), 92, RUST)
    canvas.write("AURORA", (540, 1168), 50, "#5a1f1a", weight=0.014, tracking=0.1)
    canvas.write("miscela d’autunno", (540, 1220), 26, BARK)
    canvas.line([(490, 1262), (590, 1262)], RUST, 3)
    canvas.write("NOCCIOLA · CACAO", (540, 1306), 19, BARK, tracking=0.14)
    canvas.write("250 g", (540, 1346), 24, RUST)


def _wordmark(canvas: Canvas, at: Point, color: str) -> None:
    sun(canvas, (at[0], at[1] - 70), 46, color)
    canvas.write("CAFFÈ AURORA", (at[0], at[1] + 26), 40, color, tracking=0.32, weight=0.008)


FRAMES: dict[str, Callable[[], Image.Image]] = {
    "1_alba.jpg": dawn,
    "2_miscela.jpg": blend,
    "3_sacchetto.jpg": bag,
}


def draw_all(folder: Path) -> None:
    """Draw the frames anew into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, draw in FRAMES.items():
        (folder / name).write_bytes(as_jpeg(draw(), limit=LIMIT))


if __name__ == "__main__":
    draw_all(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
