"""Files made to do harm, and files that merely look odd: the first are refused, the second come out as what they show."""

from __future__ import annotations

import gc
import io
import os
import signal
import struct
import subprocess
import sys
import threading
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("PIL")
from PIL import Image

from basketry.encoders.image import child, decoding
from basketry.encoders.image.decoding import Cut, Decoder, Refused, format_of

WHOLE = Cut(None, None)
PIXELS = np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def decoder() -> Decoder:
    return Decoder()


def saved(image: Image.Image | np.ndarray, kind: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(file, kind, **options)
    return file.getvalue()


def one(decoder: Decoder, content: bytes, cut: Cut = WHOLE) -> np.ndarray:
    (found,) = decoder.decode([content], cut)
    assert not isinstance(found, Refused), found
    return found


def refusal(decoder: Decoder, content: bytes) -> str:
    (found,) = decoder.decode([content], WHOLE)
    assert isinstance(found, Refused)
    return str(found)


def png(width: int, height: int, body: bytes, extra: bytes = b"") -> bytes:
    """A PNG of one's own making, whose header need not fit its body."""

    def part(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    head = part(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + extra + part(b"IDAT", body) + part(b"IEND", b"")


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_pixels_survive_lossless_formats(decoder: Decoder, kind: str) -> None:
    assert np.array_equal(one(decoder, saved(PIXELS, kind, lossless=True)), PIXELS)


def test_a_jpeg_is_decoded_as_pillow_decodes_it_here(decoder: Decoder) -> None:
    content = saved(PIXELS, "JPEG", quality=90)
    assert np.array_equal(one(decoder, content), np.asarray(Image.open(io.BytesIO(content))))


def test_size_and_cut_are_those_of_the_middle(decoder: Decoder) -> None:
    expected = Image.fromarray(PIXELS).resize((40, 30), Image.Resampling.BICUBIC).crop((10, 5, 30, 25))
    assert np.array_equal(one(decoder, saved(PIXELS), Cut((30,), (20, 20))), np.asarray(expected))
    assert one(decoder, saved(PIXELS), Cut((7, 9), None)).shape == (9, 7, 3)


def test_an_image_is_turned_upright(decoder: Decoder) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned to the left: turn a quarter to the right
    assert np.array_equal(one(decoder, saved(PIXELS, "PNG", exif=exif)), np.rot90(PIXELS, k=-1))


def test_a_damaged_exif_does_not_cost_the_picture(decoder: Decoder) -> None:
    content = saved(PIXELS, "JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + b"\xff" * 30)
    assert one(decoder, content).shape == PIXELS.shape


def test_what_is_transparent_is_white(decoder: Decoder) -> None:
    clear = np.zeros((4, 4, 4), dtype=np.uint8)
    clear[0, 0] = (200, 0, 0, 255)
    found = one(decoder, saved(clear))
    assert found[0, 0].tolist() == [200, 0, 0]
    assert (found.reshape(-1, 3)[1:] == 255).all()


def test_sixteen_bits_become_eight(decoder: Decoder) -> None:
    levels = np.array([[0, 257, 32_896, 65_535]], dtype=np.uint16)
    assert one(decoder, saved(levels))[0, :, 0].tolist() == [0, 1, 128, 255]


@pytest.mark.parametrize("mode", ["L", "LA", "P", "1", "CMYK"])
def test_every_mode_becomes_rgb(decoder: Decoder, mode: str) -> None:
    kind = "JPEG" if mode == "CMYK" else "PNG"
    assert one(decoder, saved(Image.fromarray(PIXELS).convert(mode), kind)).shape == PIXELS.shape


def test_of_an_animation_the_first_frame_counts(decoder: Decoder) -> None:
    frames = [Image.fromarray(PIXELS // 2)]
    content = saved(PIXELS, "WEBP", save_all=True, append_images=frames, lossless=True)
    assert np.array_equal(one(decoder, content), PIXELS)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("share", [0.02, 0.3, 0.95])
def test_a_truncated_file_is_refused(decoder: Decoder, kind: str, share: float) -> None:
    content = saved(PIXELS, kind)
    assert "cannot be read" in refusal(decoder, content[: max(16, int(len(content) * share))])


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"GIF89a" + bytes(50), "is GIF, not JPEG, PNG or WebP"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "is SVG, HTML or XML, not"),
        (b"%PDF-1.7", "is PDF, not"),
        (b"II*\0" + bytes(50), "is TIFF, not"),
        (b"\0\0\1\0" + bytes(50), "of no kind known here"),
        (b"\xff\xd8\xff", "cannot be read: its header is damaged"),
    ],
)
def test_other_kinds_are_refused_by_content(decoder: Decoder, content: bytes, said: str) -> None:
    assert said in refusal(decoder, content)


def test_a_gif_inside_a_png_header_is_not_given_to_the_gif_decoder(decoder: Decoder) -> None:
    gif = saved(Image.fromarray(PIXELS).convert("P"), "GIF")
    assert "cannot be read" in refusal(decoder, b"\x89PNG\r\n\x1a\n" + gif)
    with pytest.raises(ValueError, match="its header is damaged"):  # and no decoder is tried but the one asked for
        child.decoded(gif, {"format": "PNG", "resize": None, "crop": None, "resample": 3})


def test_a_polyglot_gives_its_pixels_and_nothing_else(decoder: Decoder) -> None:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as target:
        target.writestr("run.py", "print('run')")
    page = b"<script>alert(1)</script>"
    both = saved(PIXELS, "JPEG", comment=page) + archive.getvalue()
    assert zipfile.is_zipfile(io.BytesIO(both))
    assert np.array_equal(one(decoder, both), one(decoder, saved(PIXELS, "JPEG")))


def test_a_bomb_is_refused_by_its_header(decoder: Decoder) -> None:
    bomb = png(50_000, 50_000, zlib.compress(bytes(1_000)))
    assert "50,000 x 50,000 pixels; the limit is 20,000,000" in refusal(decoder, bomb)


def test_a_bomb_in_a_text_part_is_refused(decoder: Decoder) -> None:
    text = b"comment\0\0" + zlib.compress(bytes(200_000_000))
    part = struct.pack(">I", len(text)) + b"zTXt" + text + struct.pack(">I", zlib.crc32(b"zTXt" + text))
    assert "cannot be read" in refusal(decoder, png(1, 1, zlib.compress(bytes(4)), part))


def test_an_image_too_narrow_to_resize_is_refused(decoder: Decoder) -> None:
    (found,) = decoder.decode([saved(np.zeros((1, 200_000), dtype=np.uint8))], Cut((256,), (224, 224)))
    assert isinstance(found, Refused)
    assert "the limit is 20,000,000" in str(found)


def test_the_largest_image_allowed_fits_into_the_memory_of_a_child(decoder: Decoder) -> None:
    """4,472 x 4,472 is the last square below 20 million; transparent pixels cost the most."""
    clear = saved(Image.new("RGBA", (4_472, 4_472), (0, 0, 0, 0)), compress_level=1)
    assert (one(decoder, clear, Cut((8, 8), None)) == 255).all()
    assert "4,473 x 4,473 pixels" in refusal(decoder, png(4_473, 4_473, zlib.compress(bytes(9))))


def test_a_child_has_no_environment_no_files_and_little_memory(decoder: Decoder) -> None:
    one(decoder, saved(PIXELS))
    process = _child_of(decoder)
    lines = Path(f"/proc/{process}/limits").read_text().splitlines()
    limits = {line[:26].strip(): line[26:47].strip() for line in lines}
    assert limits["Max address space"] == str(child.MEMORY)
    assert limits["Max open files"] == "3"
    assert limits["Max file size"] == limits["Max core file size"] == "0"
    assert 0 < int(limits["Max cpu time"]) <= child.SECONDS + 5
    assert Path(f"/proc/{process}/environ").read_bytes() == b""


def test_a_child_that_dies_costs_one_image(decoder: Decoder) -> None:
    first = one(decoder, saved(PIXELS))
    process = _child_of(decoder)
    os.kill(process, signal.SIGSTOP)
    killer = threading.Timer(0.2, os.kill, (process, signal.SIGKILL))
    killer.start()
    assert "ended the process that decoded it (killed)" in refusal(decoder, saved(PIXELS))
    killer.join()
    assert np.array_equal(one(decoder, saved(PIXELS)), first)
    assert _child_of(decoder) != process


def test_a_child_that_hangs_is_ended(decoder: Decoder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "_PATIENCE", 0.2)
    one(decoder, saved(PIXELS))
    os.kill(_child_of(decoder), signal.SIGSTOP)
    assert "no answer within" in refusal(decoder, saved(PIXELS))


def test_a_child_ends_itself_when_its_seconds_are_over() -> None:
    program = "import sys; sys.path.append(sys.argv[1]); import child; child.SECONDS = 1; child.limit_time()\nwhile True: pass"
    folder = str(Path(child.__file__).parent)
    assert subprocess.run([sys.executable, "-I", "-c", program, folder], check=False).returncode == -signal.SIGXCPU


def test_a_child_out_of_time_says_so(decoder: Decoder) -> None:
    one(decoder, saved(PIXELS))
    process = _child_of(decoder)
    os.kill(process, signal.SIGSTOP)
    os.kill(process, signal.SIGXCPU)
    killer = threading.Timer(0.2, os.kill, (process, signal.SIGCONT))
    killer.start()
    assert "more than 10 s of processor time" in refusal(decoder, saved(PIXELS))
    killer.join()


def test_children_end_with_their_decoder() -> None:
    decoder = Decoder(2)
    decoder.decode([saved(PIXELS)] * 4, WHOLE)
    processes = [entry._process.pid for entry in list(_places(decoder)) if entry is not None]
    assert processes
    del decoder
    gc.collect()
    for process in processes:
        with pytest.raises(ProcessLookupError):
            os.kill(process, 0)


def test_many_children_answer_in_order() -> None:
    contents = [saved(np.full((3, 3, 3), level, dtype=np.uint8)) for level in range(40)]
    found = Decoder(3).decode([*contents, b"GIF8"], WHOLE)
    assert [int(picture[0, 0, 0]) for picture in found[:-1]] == list(range(40))
    assert isinstance(found[-1], Refused)


def test_a_format_is_known_by_its_first_bytes() -> None:
    assert [format_of(saved(PIXELS, kind)) for kind in ("JPEG", "PNG", "WEBP")] == ["JPEG", "PNG", "WEBP"]
    with pytest.raises(Refused, match="no kind"):
        format_of(b"RIFF\0\0\0\0WAVE")


def _places(decoder: Decoder) -> list[decoding._Child | None]:
    found = [decoder._places.get_nowait() for _ in range(decoder._children)]
    for place in found:
        decoder._places.put(place)
    return found


def _child_of(decoder: Decoder) -> int:
    (place,) = _places(decoder)
    assert place is not None
    return place._process.pid
