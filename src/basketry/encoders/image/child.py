"""The program that decodes images, run as a process of its own with nothing but Pillow and limits.

An image from outside is the one thing in this house that is read by large C libraries not made for hostile input. So they run
here, where a crash, a bomb or an endless loop costs one image: the address space, the processor time of one
image, open files and written files (none of either) are limited before the first byte arrives, and the environment is empty. It
is no sandbox against code that takes the process over: that code would run as the same user.

    python -I child.py FOLDER_OF_PILLOW

A request is a line of JSON, `{"bytes": n, "format": ..., "resize": [short] | [width, height] | null, "crop": [width, height] |
null, "resample": ...}`, and n bytes. An answer is a line of JSON, `{"width": w, "height": h}` and w * h * 3 bytes of RGB, or
`{"refused": reason}`.

This file imports nothing of the house: it runs by its path, and what it cannot import it cannot give away.
"""

from __future__ import annotations

import io
import json
import math
import resource
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, BinaryIO, Final

if TYPE_CHECKING:
    from PIL.Image import Image

PIXELS: Final = 20_000_000  # of one image: 60 MB of RGB
MEMORY: Final = 1 << 30  # bytes of address space, the interpreter's included
SECONDS: Final = 10  # of processor time for one image


def limit() -> None:
    """Take away, for good, what decoding does not need: memory, files, writing, a core dump."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))  # the three pipes: nothing can be opened any more


def limit_time() -> None:
    """End this process when the coming image has used its seconds."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    last = math.ceil(used.ru_utime + used.ru_stime) + SECONDS
    resource.setrlimit(resource.RLIMIT_CPU, (last, resource.RLIM_INFINITY))


def decoded(content: bytes, request: Mapping[str, Any]) -> Image:
    """The image upright, in RGB on white, resized and cut as asked. Raises ValueError or OSError if it cannot be read."""
    from PIL import Image, UnidentifiedImageError

    try:
        image = Image.open(io.BytesIO(content), formats=[request["format"]])
    except UnidentifiedImageError as error:  # its own words hold an address in memory
        raise ValueError("its header is damaged") from error
    _few(*image.size)
    image.load()
    picture = _on_white(_upright(image))
    if request["resize"]:
        size = _size(picture.size, request["resize"])
        _few(*size)
        picture = picture.resize(size, resample=request["resample"])
    if request["crop"]:
        across, down = request["crop"]
        left, top = (picture.width - across) // 2, (picture.height - down) // 2
        picture = picture.crop((left, top, left + across, top + down))
    return picture


def _few(width: int, height: int) -> None:
    if width * height > PIXELS:
        raise ValueError(f"{width:,} x {height:,} pixels; the limit is {PIXELS:,}")


def _upright(image: Image) -> Image:
    """Turned as its EXIF says; with an EXIF that cannot be read, as it is stored."""
    from PIL import ImageOps

    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # noqa: BLE001  a damaged EXIF raises many things, and is no reason to lose the picture
        return image


def _size(size: tuple[int, int], wanted: list[int]) -> tuple[int, int]:
    """Width and height: as wanted, or with one figure the shorter side so long and the other in proportion."""
    if len(wanted) == 2:
        return wanted[0], wanted[1]
    short = wanted[0]
    width, height = size
    return (short, max(1, short * height // width)) if width <= height else (max(1, short * width // height), short)


def _on_white(image: Image) -> Image:
    """Transparent pixels show white, as a catalogue's page would; 16 bits a pixel become 8."""
    from PIL import Image

    if image.mode.startswith("I"):
        image = image.convert("I").point(lambda value: value * (1 / 257) + 0.5).convert("L")
    if "A" in image.getbands() or "transparency" in image.info:
        clear = image.convert("RGBA")
        white = Image.new("RGBA", clear.size, "white")
        return Image.alpha_composite(white, clear).convert("RGB")
    return image.convert("RGB")


def answer(source: BinaryIO, target: BinaryIO) -> bool:
    """Serve one request; False when there are no more."""
    line = source.readline()
    if not line:
        return False
    request = json.loads(line)
    content = source.read(request["bytes"])
    limit_time()
    try:
        picture = decoded(content, request)
        body = picture.tobytes()
        head: dict[str, Any] = {"width": picture.width, "height": picture.height}
    except MemoryError:
        body, head = b"", {"refused": f"it needs more than {MEMORY:,} bytes of memory"}
    except Exception as error:  # noqa: BLE001  a decoder raises what it likes (SyntaxError among it); all of it is a refusal
        body, head = b"", {"refused": f"{error}" or type(error).__name__}
    target.write(json.dumps(head).encode() + b"\n" + body)
    target.flush()
    return True


def rehearse() -> None:
    """Decode one small image of every kind: Pillow imports parts of itself when first used, and soon no file can be opened."""
    from PIL import Image

    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: lies on its side
    for kind in ("JPEG", "PNG", "WEBP"):
        file = io.BytesIO()
        Image.new("RGB", (2, 1)).save(file, kind, exif=exif)
        decoded(file.getvalue(), {"format": kind, "resize": [1], "crop": [1, 1], "resample": 3})


def main() -> None:
    """Load the decoders, lock the door, serve."""
    sys.path.append(sys.argv[1])
    from PIL import Image

    Image.MAX_IMAGE_PIXELS = None  # the limit above is the lower one, and says so in its own words
    rehearse()
    limit()
    while answer(sys.stdin.buffer, sys.stdout.buffer):
        pass


if __name__ == "__main__":
    main()
