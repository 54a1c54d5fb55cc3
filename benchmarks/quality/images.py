"""What the vectors of images are worth, beside pixels and chance, and what they cost.

    python benchmarks/quality/images.py

Grocery products (datasets/grocery_store_images) and Fashion-MNIST (apt-get install dataset-fashion-mnist; left out where it
is absent). Needs pip install 'basketry[efficientnet]'. About seven minutes of CPU the first time; vectors are kept in the
folder for temporary files. Writes docs/reference/quality-images.md.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import resource
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

import numpy as np
from grocery import Product, disturbed, read_products
from PIL import Image
from scipy.sparse import csr_array

from basketry.core.protocols import EncoderOf, Run
from basketry.encoders import CachedEncoder, load_encoder
from basketry.encoders.image.decoding import Cut, Decoder, Refused
from basketry.encoders.image.efficientnet import NAME, convert, converted
from basketry.encoders.image.encoder import ImageEncoder
from basketry.encoders.image.preparation import OWN
from basketry.encoders.projection import ImageToText
from basketry.encoders.weights import WEIGHTS
from basketry.evaluation.bootstrap import Interval, Resampled, case_weights
from basketry.evaluation.retrieval import Questions, same_group

ROOT = Path(__file__).parents[2]
KEPT = Path(tempfile.gettempdir()) / "basketry-bench-images"
FASHION = Path("/usr/share/datasets/fashion-mnist")
RUN = Run(threads=1)
COPIES = 5
FOLDS = 5
PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1)
ENCODERS = ("efficientnet", "pixels")
HEAD = """# Images: quality and speed

What vectors of images are worth beside a simple baseline and chance. `python benchmarks/quality/images.py` writes this page.

`efficientnet` is EfficientNet-Lite0 with the weights of its package, 1,280 dimensions, never trained further. `pixels` is the
baseline: an 8 x 8 x 8 colour histogram (square roots) beside the image shrunk to 16 x 16, each of unit length. A gain is
efficientnet less pixels, on the same resamples. Intervals are 95% by bootstrap over products, or over kinds where products of
one kind are asked; a gain whose interval holds 0 is not shown to be one.
"""
IMAGE_TO_IMAGE = """## Image to image

{products} products of {kinds} kinds, one studio photo each. The natural photos of the data set are not in the archive at
hand, so {copies} disturbed copies of each studio photo (cut, turned, in other light, blurred, small on a plain ground, JPEG 40)
stand in for them: an easier task than real snapshots. A photo's kind is its coarse class; products alone in theirs are not
asked.
"""
ACROSS = """
## Text to image, and back

`universal` encodes name and description of a product; `ImageToText` learns to project images into its space, the penalty
chosen inside the training part. {folds} folds: the product asked for (or its whole kind) was never seen by the projection that
answers. It competes with the others left out, about {few} of them, or with all {products}, of which the projection has seen
most and put them where their own texts are.
"""
PROBE = """
## Fashion-MNIST

The first 10,000 training images, upscaled from 28 x 28 to 224 x 224; judged on all 10,000 test images. The probe is logistic
regression on standardised features; its C is chosen on the last 2,000 of the training images.
"""
SPEED = """
## Speed

Batches of 16, medians of five turns; the child process that decodes is counted in the last row.
"""


class Pixels:
    """The baseline, an encoder like any other: 512 + 768 figures of the image shrunk to 64 x 64."""

    name, dim = "pixels@1", 512 + 768

    def __init__(self) -> None:
        self._decoder = Decoder()

    def encode(self, documents: Sequence[bytes]) -> np.ndarray:
        rows = []
        for picture in self._decoder.decode(documents, Cut((64, 64), None)):
            if isinstance(picture, Refused):
                raise picture
            bins = (picture // 32).astype(np.int64).reshape(-1, 3) @ np.array([64, 8, 1])
            colours = np.sqrt(np.bincount(bins, minlength=512))
            small = picture.reshape(16, 4, 16, 4, 3).mean(axis=(1, 3)).reshape(-1) - 127.5
            rows.append(np.concatenate([colours / np.linalg.norm(colours), small / max(1e-9, np.linalg.norm(small))]))
        return unit(np.array(rows))


def unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def told(figure: Interval) -> str:
    return f"{figure.value:.3f} ({figure.low:.3f} to {figure.high:.3f})"


def gained(figure: Interval) -> str:
    """A gain; one whose interval holds 0 says that it is none."""
    return told(figure) if figure.low > 0 else f"{told(figure)}: not shown"


def ranked(queries: np.ndarray, documents: np.ndarray, *, itself: bool = False) -> np.ndarray:
    scores = queries @ documents.T
    if itself:
        np.fill_diagonal(scores, -np.inf)
    order = np.argsort(-scores, axis=1, kind="stable")
    return order[:, :-1] if itself else order


def by_chance(relevant: csr_array, k: int, choice: np.ndarray) -> float:
    """Share of queries hit if k documents of those to choose from were drawn at random."""
    wanted = np.diff(relevant.indptr)
    missed = np.prod([(choice - wanted - place) / (choice - place) for place in range(k)], axis=0)
    return 1 - float(missed[wanted > 0].mean())


Sides = dict[str, tuple[Questions, dict[str, np.ndarray], np.ndarray]]


def table(sides: Sides, ks: tuple[int, ...]) -> list[str]:
    """For each task its questions, a ranking by encoder, and how many documents each query has to choose from."""
    names = " | ".join(f"R@{k}" for k in ks)
    lines = [f"| task | queries | by | {names} | gain at R@{ks[1]} |", "|---|---:|---|" + "---:|" * (len(ks) + 1)]
    for task, (questions, rankings, choice) in sides.items():
        asked = int((np.diff(questions.relevant.indptr) > 0).sum())
        found = {name: questions.measure(order, ks) for name, order in rankings.items()}
        gain = gained(found["efficientnet"].gain_over(found["pixels"], f"hit@{ks[1]}"))
        for name, resampled in found.items():
            cells = " | ".join(told(resampled.interval(f"hit@{k}")) for k in ks)
            lines.append(f"| {task} | {asked:,} | {name} | {cells} | {gain if name == 'efficientnet' else ''} |")
        chance = " | ".join(f"{by_chance(questions.relevant, k, choice):.3f}" for k in ks)
        lines.append(f"| {task} | {asked:,} | chance | {chance} | |")
    return lines


def numbered(names: Sequence[str]) -> np.ndarray:
    return np.unique(np.array(names), return_inverse=True)[1].astype(np.int64)


def image_to_image(products: list[Product], encoders: dict[str, EncoderOf[bytes]]) -> list[str]:
    draw = np.random.default_rng(0)
    copies = [disturbed(product.photo, draw) for product in products for _ in range(COPIES)]
    kinds = numbered([product.kind for product in products])
    answer = np.repeat(np.arange(len(products)), COPIES)
    own = csr_array((np.ones(len(copies), dtype=bool), (np.arange(len(copies)), answer)), shape=(len(copies), len(products)))
    studio = {name: encoder.encode([product.photo for product in products]) for name, encoder in encoders.items()}
    snapshots = {name: ranked(encoder.encode(copies), studio[name]) for name, encoder in encoders.items()}
    alike = {name: ranked(vectors, vectors, itself=True) for name, vectors in studio.items()}
    sides = {
        "disturbed copy finds its photo": (Questions(own, answer), snapshots, np.full(len(copies), len(products))),
        "photo finds another of its kind": (
            Questions(same_group(kinds), kinds),
            alike,
            np.full(len(products), len(products) - 1),
        ),
    }
    return table(sides, (1, 5))


def across(products: list[Product], encoders: dict[str, EncoderOf[bytes]]) -> list[str]:
    """Text finds image and image finds text, each product by a projection that never saw it (or its whole kind)."""
    texts = load_encoder("universal", RUN).encode([product.text for product in products])
    groups = {"product": [product.name for product in products], "kind": [product.kind for product in products]}
    questions = Questions(csr_array(np.eye(len(products), dtype=bool)), numbered(groups["kind"]))
    photos = {name: encoder.encode([product.photo for product in products]) for name, encoder in encoders.items()}
    sides: Sides = {}
    for unseen, alone in (("product", True), ("kind", True), ("product", False)):
        found = {name: crossed(images, texts, groups[unseen], alone=alone) for name, images in photos.items()}
        choice = (next(iter(found.values()))[0] >= 0).sum(axis=1)
        among = f"{unseen} unseen, among {'the unseen' if alone else 'all'}"
        for place, direction in enumerate(("text finds image", "image finds text")):
            rankings = {name: both[place] for name, both in found.items()}
            sides[f"{direction}, {among}"] = (questions, rankings, choice)
    return table(sides, (1, 5, 10))


def crossed(images: np.ndarray, texts: np.ndarray, groups: list[str], *, alone: bool) -> tuple[np.ndarray, np.ndarray]:
    """Rankings of images for each text and of texts for each image, by the projection of the fold that left it out.

    `alone`: only what that fold left out competes; otherwise all do, and those the projection has seen are at an advantage.
    """
    numbers = numbered(groups)
    fold = np.random.default_rng(0).permutation(int(numbers.max()) + 1)[numbers] % FOLDS
    to_image = np.full((len(texts), len(images)), -1, dtype=np.int64)
    to_text = to_image.copy()
    for held in (fold == number for number in range(FOLDS)):
        seen = [group for group, out in zip(groups, held, strict=True) if not out]
        projected = ImageToText().fit(images[~held], texts[~held], seen, RUN).project(images)
        choice = np.flatnonzero(held) if alone else np.arange(len(images))
        rows = np.ix_(held, np.arange(len(choice)))
        to_image[rows] = choice[ranked(texts[held], projected[choice])]
        to_text[rows] = choice[ranked(projected[held], texts[choice])]
    return to_image, to_text


def fashion() -> tuple[list[bytes], np.ndarray, list[bytes], np.ndarray]:
    """The first 10,000 images to learn from and all 10,000 to be judged by, as PNG, with their classes."""

    def read(name: str, head: int) -> np.ndarray:
        with gzip.open(FASHION / name) as stream:
            return np.frombuffer(stream.read(), dtype=np.uint8, offset=head)

    def files(name: str) -> list[bytes]:
        found = []
        for pixels in read(name, 16).reshape(-1, 28, 28)[:10_000]:
            file = io.BytesIO()
            Image.fromarray(pixels).save(file, "PNG")
            found.append(file.getvalue())
        return found

    train, test = files("train-images-idx3-ubyte.gz"), files("t10k-images-idx3-ubyte.gz")
    return train, read("train-labels-idx1-ubyte.gz", 8)[:10_000], test, read("t10k-labels-idx1-ubyte.gz", 8)[:10_000]


def probed(train: np.ndarray, labels: np.ndarray, test: np.ndarray) -> tuple[np.ndarray, float]:
    """Classes foretold by logistic regression, its penalty chosen on the last 2,000 of the training part."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    def fitted(rows: slice, strength: float) -> object:
        model = make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=300, tol=1e-3))
        return model.fit(train[rows], labels[rows])

    scores = {strength: fitted(slice(8_000), strength).score(train[8_000:], labels[8_000:]) for strength in PENALTIES}
    best = max(scores, key=scores.__getitem__)
    return fitted(slice(None), best).predict(test), best


def linear_probe(folder: Path) -> list[str]:
    if not FASHION.is_dir():
        return ["Left out: the Debian package dataset-fashion-mnist is not installed here."]
    train, train_classes, test, test_classes = fashion()
    encoder = CachedEncoder(ImageEncoder.load(whole_view(folder), RUN), KEPT)
    rows = {"efficientnet": (encoder.encode(train), encoder.encode(test))}
    raw = [np.array([np.asarray(Image.open(io.BytesIO(file))).reshape(-1) for file in files]) for files in (train, test)]
    rows["raw pixels"] = (raw[0] / 255.0, raw[1] / 255.0)
    weight = case_weights(np.arange(len(test)), 500, 0)
    total = weight.sum(axis=1)
    found: dict[str, Resampled] = {}
    chosen: dict[str, float] = {}
    for name, (learned, judged) in rows.items():
        foretold, chosen[name] = probed(learned, train_classes, judged)
        nearest = (unit(judged) @ unit(learned).T).argmax(axis=1)
        right = {"probe": foretold == test_classes, "nearest": train_classes[nearest] == test_classes}
        found[name] = Resampled({figure: weight @ hits / total for figure, hits in right.items()})
    lines = ["| features | C | linear probe | class of the nearest image |", "|---|---:|---:|---:|"]
    for name, resampled in found.items():
        cells = " | ".join(told(resampled.interval(figure)) for figure in ("probe", "nearest"))
        lines.append(f"| {name} | {chosen[name]:g} | {cells} |")
    gains = " | ".join(gained(found["efficientnet"].gain_over(found["raw pixels"], figure)) for figure in ("probe", "nearest"))
    return [*lines, f"| difference | | {gains} |", "| chance | | 0.100 | 0.100 |"]


def whole_view(folder: Path) -> Path:
    """The same network told to see the whole of an image, pressed to 224 x 224: nothing of 28 x 28 pixels is cut away."""
    whole = KEPT / "whole-view"
    shutil.copytree(folder, whole, dirs_exist_ok=True)
    card = json.loads((whole / OWN).read_bytes()) | {"resize": [224, 224], "crop": None}
    (whole / OWN).write_text(json.dumps(card))
    return whole


def speed(folder: Path, products: list[Product]) -> list[str]:
    """Images a CPU second, children's time included; medians of five runs, taken in turn."""
    photos = [product.photo for product in products][:64]
    encoder = ImageEncoder.load(folder, RUN)
    pixels = np.random.default_rng(0).normal(size=(16, 3, 224, 224)).astype(np.float32)
    ways: dict[str, tuple[Callable[[], object], int]] = {
        "network alone, ONNX Runtime": (lambda: [encoder.forward(pixels) for _ in range(4)], 64),
        "network alone, torch eager": (torch_forward(pixels), 64),
        "from JPEG to vector, ours": (lambda: ImageEncoder.encode(encoder, photos), 64),
    }
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(6):
        for name, (work, images) in ways.items():
            began = cpu(encoder)
            work()
            if turn:
                taken[name].append(images / (cpu(encoder) - began))
    lines = ["| one thread | images a CPU second | times torch |", "|---|---:|---:|"]
    unit_speed = median(taken["network alone, torch eager"])
    return lines + [f"| {name} | {median(rates):.0f} | {median(rates) / unit_speed:.1f} |" for name, rates in taken.items()]


def cpu(encoder: ImageEncoder) -> float:
    """Processor seconds of this process and of the child that decodes."""
    places = [encoder._decoder._places.get() for _ in range(RUN.threads)]
    for place in places:
        encoder._decoder._places.put(place)
    ticks = 0
    for place in places:
        if place is not None:
            ticks += sum(int(figure) for figure in Path(f"/proc/{place._process.pid}/stat").read_text().split()[13:15])
    own = resource.getrusage(resource.RUSAGE_SELF)
    return own.ru_utime + own.ru_stime + ticks / os.sysconf("SC_CLK_TCK")


def torch_forward(pixels: np.ndarray) -> Callable[[], object]:
    """The package's own network in torch, as its users run it."""
    import torch
    from efficientnet_lite_pytorch import EfficientNet

    torch.set_num_threads(RUN.threads)
    network = EfficientNet.from_name(NAME)
    file = next(weights for weights in WEIGHTS if weights.name == NAME).locate()
    network.load_state_dict(torch.load(file, weights_only=True))
    network.eval()
    rows = torch.from_numpy(pixels)

    def forward() -> None:
        with torch.inference_mode():
            for _ in range(4):
                network.extract_features(rows).mean((2, 3))

    return forward


def main() -> None:
    """Measure all of it and write the page."""
    began = time.process_time()
    datasets = Path(os.environ.get("BASKETRY_DATASETS", ROOT.parent / "shared" / "datasets"))
    folder = KEPT / "model"
    convert(folder)
    products = read_products(datasets / "grocery_store_images")
    network = ImageEncoder.load(converted(folder), RUN)
    encoders: dict[str, EncoderOf[bytes]] = {
        "efficientnet": CachedEncoder(network, KEPT),
        "pixels": CachedEncoder(Pixels(), KEPT),
    }
    kinds = len({product.kind for product in products})
    few = round(len(products) / FOLDS)
    parts = [
        HEAD,
        IMAGE_TO_IMAGE.format(products=len(products), kinds=kinds, copies=COPIES),
        *image_to_image(products, encoders),
        ACROSS.format(folds=FOLDS, few=few, products=len(products)),
        *across(products, encoders),
        PROBE,
        *linear_probe(folder),
        SPEED,
        *speed(folder, products),
    ]
    page = "\n".join(parts) + "\n"
    (ROOT / "docs/reference/quality-images.md").write_text(page, encoding="utf-8")
    print(page)
    print(f"{time.process_time() - began:.0f} CPU seconds in this process")


if __name__ == "__main__":
    main()
