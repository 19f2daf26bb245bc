"""Pictures: encoding speed against what the cores allow, retrieval quality, first answer.

    python benchmarks/pictures.py [--photos FOLDER]

FOLDER holds train/<class>/*.jpg and test/<class>/*.jpg; the demo's samples serve for the
speeds where it is absent.
"""

from __future__ import annotations

import argparse
import io
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import skimage
import sklearn
from PIL import Image

import lookalike as la
from lookalike.core.options import as_threads
from lookalike.images import default_encoder, find_pictures, write_samples
from lookalike.images.decoding import decode, read_file

REPEATS = 5
TIMED_PICTURES = 256


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", type=Path, default=Path("../shared/data/photos"))
    photos = parser.parse_args().photos
    print(f"{_machine()}, {as_threads(None)} cores, Python {platform.python_version()}")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "gallery"
        if photos.is_dir():
            shutil.copytree(photos / "train", folder)
        else:
            print(f"{photos} is absent: the demo's samples instead, and no retrieval figures")
            write_samples(folder, Path(scratch) / "query.png")
        encoding_speed(folder)
        memory(folder, Path(scratch))
        if photos.is_dir():
            retrieval(folder, photos / "test")
            first_answer(folder, photos / "test")
    reduced_decoding()


def encoding_speed(folder: Path) -> None:
    """Pictures per second of a whole sync, as a share of cores / CPU seconds a picture."""
    limits, rates = [], []
    for _ in range(REPEATS):
        limits.append(as_threads(None) / sum(_cpu_seconds(folder)))
        gallery = la.Gallery.open(folder)
        summary = gallery.sync(rebuild=True)
        rates.append(len(gallery) / summary.seconds)
    decoding, model = _cpu_seconds(folder)
    rate, limit = statistics.median(rates), statistics.median(limits)
    print(
        f"\nencoding {len(gallery)} pictures, median of {REPEATS}: {rate:.0f} pictures/s, "
        f"{rate / limit:.0%} of what the cores allow ({limit:.0f}; decoding and resizing "
        f"{decoding * 1e3:.2f} ms, model {model * 1e3:.2f} ms of CPU a picture); target 90 %"
    )


def memory(folder: Path, scratch: Path) -> None:
    """Peak memory of indexing an eighth of the pictures, and all of them."""
    paths = find_pictures(folder)
    for share in (8, 1):
        part = scratch / f"part-{share}"
        for path in paths[::share]:
            (part / path).parent.mkdir(parents=True, exist_ok=True)
            (part / path).hardlink_to(folder / path)
        command = [sys.executable, "-c", _INDEX_AND_TELL, str(part)]
        shown = subprocess.run(command, check=True, capture_output=True, text=True)
        print(f"indexing {len(paths[::share])} pictures: peak memory {shown.stdout.strip()} MiB")


_INDEX_AND_TELL = """
import sys
from pathlib import Path
import lookalike
lookalike.Gallery.open(sys.argv[1]).sync()
# Not getrusage: its peak survives exec, so it would be the parent's.
(peak,) = [line for line in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in line]
print(int(peak.split()[1]) >> 10)
"""


def _cpu_seconds(folder: Path) -> tuple[float, float]:
    """CPU seconds a picture of decoding with resizing, and of the model, each alone."""
    encoder = default_encoder()
    paths = [folder / path for path in find_pictures(folder)]
    paths = paths[:: max(1, len(paths) // TIMED_PICTURES)][:TIMED_PICTURES]
    start = time.process_time()
    batches = []
    for first in range(0, len(paths), 8):
        pictures = [
            decode(read_file(path), min_side=encoder.min_side) for path in paths[first : first + 8]
        ]
        batches.append(encoder.preprocessing(pictures))
    decoding = time.process_time() - start
    start = time.process_time()
    for batch in batches:
        encoder._session.run(None, {encoder._input: batch})  # noqa: SLF001 - the model alone
    model = time.process_time() - start
    return decoding / len(paths), model / len(paths)


def retrieval(folder: Path, queries: Path) -> None:
    """Precision with each picture of ``queries`` as query, by its class folder."""
    gallery, asked = la.Gallery.open(folder), find_pictures(queries)
    classes = np.array([path.split("/")[0] for path in gallery.paths])
    wanted = np.array([path.split("/")[0] for path in asked])
    embeddings = np.stack([gallery.embed(queries / path) for path in asked])
    ids = la.nearest_batch(embeddings, gallery.embeddings, k=10).ids
    is_right = classes[ids] == wanted[:, np.newaxis]
    groups = gallery.groups()
    ranked = [la.rank_groups(row, groups, linkage="centroid")[0][0] for row in embeddings]
    print(
        f"\nretrieval, {len(asked)} queries in {len(gallery)} pictures of {len(groups)} classes:\n"
        f"precision@1 {is_right[:, 0].mean():.3f} (target .78), "
        f"precision@10 {is_right.mean():.3f} (.74), "
        f"nearest group by centroid right {np.mean(np.array(ranked) == wanted):.3f} (.83)"
    )


def first_answer(folder: Path, queries: Path) -> None:
    """Wall-clock seconds of a whole `lookalike search` process, query outside the gallery."""
    query = queries / find_pictures(queries)[0]
    command = [sys.executable, "-m", "lookalike", "search", str(query), str(folder)]
    seconds = []
    for _ in range(2 * REPEATS + 1):
        start = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        seconds.append(time.perf_counter() - start)
    print(
        f"\nlookalike search, a whole process: median {statistics.median(seconds):.3f} s "
        f"(min {min(seconds):.3f}, max {max(seconds):.3f}); target 0.5 s"
    )


def reduced_decoding() -> None:
    """How much decoding a JPEG at reduced scale moves the embedding, and what it saves."""
    encoder = default_encoder()
    print("\nJPEG decoded at reduced scale as sync does, against in full:")
    moved = []
    for name, content in _large_jpegs():
        full_seconds, full = _timed(content, None)
        reduced_seconds, reduced = _timed(content, encoder.min_side)
        first, second = encoder.encode([full]), encoder.encode([reduced])
        moved.append(float(la.distances(first[0], second)[0]))
        print(
            f"  {name:<34} {full.width} x {full.height} -> {reduced.width} x {reduced.height}  "
            f"cosine {moved[-1]:.5f}  {full_seconds * 1e3:.1f} -> {reduced_seconds * 1e3:.1f} ms"
        )
    print(f"  median {statistics.median(moved):.5f}, largest {max(moved):.5f}")


def _timed(content: bytes, min_side: int | None) -> tuple[float, Image.Image]:
    encoder, seconds = default_encoder(), []
    for _ in range(REPEATS):
        start = time.perf_counter()
        picture = decode(content, min_side=min_side)
        encoder.preprocessing.crop(picture)
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds), picture


def _large_jpegs() -> list[tuple[str, bytes]]:
    """Large JPEGs of quality 90: photographs that Python packages carry, and mosaics of them.

    Few such photographs are large enough to be reduced; a mosaic of sixteen has their detail.
    """
    folders = (
        Path(skimage.__file__).parent / "data",
        Path(sklearn.__file__).parent / "datasets" / "images",
    )
    photographs = {}
    for path in sorted(item for folder in folders for item in folder.iterdir()):
        if path.suffix in {".png", ".jpg"}:
            picture = decode(read_file(path))
            if min(picture.size) >= 300:
                photographs[path.name] = picture
    large = {name: item for name, item in photographs.items() if min(item.size) >= 1024}
    names = list(photographs)
    for first in range(0, len(names), 2):
        mosaic = Image.new("RGB", (2400, 1600))
        for place in range(16):
            item = photographs[names[(first + place) % len(names)]]
            mosaic.paste(item, (place % 4 * 600, place // 4 * 400))
        large[f"mosaic from {names[first]}"] = mosaic
    return [(name, _jpeg(picture)) for name, picture in large.items()]


def _jpeg(picture: Image.Image) -> bytes:
    content = io.BytesIO()
    picture.save(content, "JPEG", quality=90)
    return content.getvalue()


def _machine() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines() if os.name == "posix" else ():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


if __name__ == "__main__":
    main()
