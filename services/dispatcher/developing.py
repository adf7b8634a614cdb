"""What is done with a picture's pixels, in a process of its own: `python -m` this module.

It reads one order on stdin and writes one answer on stdout, each a line of JSON and then bytes. It
has the memory and the seconds of a guest, no secret in its environment and nothing to connect to;
a picture that breaks the decoder breaks nothing else.
"""

import io
import json
import struct
import sys
from typing import Any

from PIL import Image, ImageOps, UnidentifiedImageError

from services.dispatcher.metadata import Damaged, Moves, without_metadata

MOST_PIXELS = 50_000_000
MOST_MOVING_PIXELS = 400_000_000
"""Of all frames of a GIF together."""
MEMORY = 2 * 1024 * 1024 * 1024
CPU_SECONDS = 60
_ORIENTATION = 0x0112
_QUALITY = 92
_QUALITIES = (90, 82, 74, 66)
_SMALLER = 0.8
"""Of each side, when no quality makes a picture small enough."""
_FORMATS = {"image/jpeg": "JPEG", "image/png": "PNG", "image/webp": "WEBP", "image/gif": "GIF"}
_MIMES = {name: mime for mime, name in _FORMATS.items()}

# The size is checked below, from the header, before a pixel is decoded; Pillow's own guard would
# only warn.
Image.MAX_IMAGE_PIXELS = None


class Wrong(ValueError):
    """What is the matter with a picture, for people."""


def develop(data: bytes, kind: str) -> tuple[dict[str, Any], bytes]:
    """Return a picture's facts, and the picture upright and without metadata.

    It is decoded whole, so that a damaged one is found here and not by a platform.
    """
    with Image.open(io.BytesIO(data), formats=[kind]) as image:
        _bound(image)
        # Pillow decodes a whole PNG to look for what may stand behind its pixels.
        told = kind != "PNG" or b"eXIf" in data or b"adobe.xmp" in data
        orientation = image.getexif().get(_ORIENTATION, 1) if told else 1
    clean = without_metadata(data, kind)
    with Image.open(io.BytesIO(clean), formats=[kind]) as image:
        _bound(image)
        frames = getattr(image, "n_frames", 1)
        if frames * image.width * image.height > MOST_MOVING_PIXELS:
            raise Wrong(f"its {frames} frames have more than {MOST_MOVING_PIXELS} pixels together")
        for number in range(frames):
            image.seek(number)
            image.load()
        if kind != "GIF" and orientation in range(2, 9):
            image.getexif()[_ORIENTATION] = orientation
            upright = ImageOps.exif_transpose(image)
            clean = _written(upright, kind, _QUALITY, image.info.get("icc_profile"))
            return {"width": upright.width, "height": upright.height}, clean
        return {"width": image.width, "height": image.height}, clean


def fit(data: bytes, order: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
    """Return a picture of at most so many pixels and bytes, in a format that the platform takes.

    The same order makes the same bytes. Where the picture's own format is too large it becomes a
    JPEG, at the best of a few qualities that is small enough; then it loses size.
    """
    width, height, most = order["width"], order["height"], order["most_bytes"]
    with Image.open(io.BytesIO(data), formats=[order["kind"]]) as image:
        _bound(image)
        profile = image.info.get("icc_profile") if image.mode in ("RGB", "RGBA") else None
        if (image.width, image.height) == (width, height) and len(data) <= most:
            whole: Image.Image = image.copy()
        else:
            # A palette or black and white cannot be made smaller smoothly.
            smooth = image if image.mode in ("RGB", "RGBA", "L") else image.convert("RGBA")
            whole = smooth.resize((width, height), Image.Resampling.LANCZOS, reducing_gap=3.0)
    if order["keep"]:
        written = _written(whole, order["kind"], _QUALITIES[0], profile)
        if len(written) <= most:
            return _told(whole, order["kind"]), written
    flat = _flat(whole)
    while min(flat.size) > 1:
        for quality in _QUALITIES:
            written = _written(flat, "JPEG", quality, profile)
            if len(written) <= most:
                return _told(flat, "JPEG"), written
        smaller = [max(1, round(side * _SMALLER)) for side in flat.size]
        flat = flat.resize((smaller[0], smaller[1]), Image.Resampling.LANCZOS)
    raise Wrong(f"it cannot be made smaller than {most} bytes")


def _bound(image: Image.Image) -> None:
    if image.width * image.height > MOST_PIXELS:
        raise Wrong(f"it has more than {MOST_PIXELS} pixels; make it smaller")


def _flat(image: Image.Image) -> Image.Image:
    """Return it as a JPEG has it: what can be seen through becomes white."""
    if not image.has_transparency_data:
        return image.convert("RGB")
    seen = image.convert("RGBA")
    paper = Image.new("RGB", image.size, "white")
    paper.paste(seen, mask=seen.getchannel("A"))
    return paper


def _written(image: Image.Image, kind: str, quality: int, profile: object) -> bytes:
    out = io.BytesIO()
    extra = {"icc_profile": profile} if profile else {}
    if kind == "JPEG":
        plain = image if image.mode in ("RGB", "L", "CMYK") else image.convert("RGB")
        plain.info.clear()
        plain.save(out, kind, quality=quality, optimize=True, **extra)
    elif kind == "WEBP":
        image.info.clear()
        image.save(out, kind, quality=quality, **extra)
    else:
        image.info = {k: v for k, v in image.info.items() if k == "transparency"}
        image.save(out, kind, **extra)
    return without_metadata(out.getvalue(), kind)


def _told(image: Image.Image, kind: str) -> dict[str, Any]:
    return {"width": image.width, "height": image.height, "mime": _MIMES[kind]}


def carry_out(order: dict[str, Any], data: bytes) -> tuple[dict[str, Any], bytes]:
    """Return facts and bytes, or `{"wrong": …}` and none."""
    try:
        if order["do"] == "fit":
            return fit(data, order)
        return develop(data, order["kind"])
    except (Wrong, Damaged) as error:
        return {"wrong": str(error)}, b""
    except Moves:
        return {"wrong": "it is animated; send it as a GIF or an MP4"}, b""
    except UnidentifiedImageError:
        return {"wrong": "it cannot be read as a picture"}, b""
    except MemoryError:
        return {"wrong": "it takes too much memory to be read; make it smaller"}, b""
    # What Pillow raises for damaged files, by its decoders: OSError, SyntaxError, ValueError, …
    except (OSError, EOFError, SyntaxError, LookupError, TypeError, ValueError, struct.error):
        return {"wrong": "the picture is damaged"}, b""


def _be_a_guest() -> None:
    """Give up what a picture does not need; a platform without such limits has none."""
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    except (ImportError, OSError, ValueError):
        return


def main() -> None:
    """Carry out the order on stdin."""
    _be_a_guest()
    order = json.loads(sys.stdin.buffer.readline())
    told, made = carry_out(order, sys.stdin.buffer.read())
    sys.stdout.buffer.write(json.dumps(told).encode() + b"\n" + made)


if __name__ == "__main__":
    main()
