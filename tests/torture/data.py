"""Damaged and hostile data files: bytes of sound files changed, cut and repeated, and some made by hand."""

import bz2
import gzip
import io
import lzma
import os
import random
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from .models import frame

LINES = (
    b"",
    b"\x00",
    b"\xff\xfe",
    b'"',
    b'""",',
    b"\r",
    b"\n\n\n",
    b",",
    b"," * 5000,
    b"1e999",
    b"-",
    b"nan",
    b"=cmd|'/c calc'!A1",
    b"'=1+1",
    b"\xef\xbb\xbf",
    b"a" * 200_000,
    b"9" * 400,
    "\u202e\u2028".encode(),
    b"2024-02-30",
    b"\x1b[2J",
    b"True",
    b"(1, 2)",
)
"""Bytes that are put into a text."""


def spoilt(data: bytes, rng: random.Random) -> bytes:
    """One or more bytes changed, removed, repeated or put in."""
    held = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 8))):
        at = rng.randrange(len(held) + 1)
        match rng.randrange(5):
            case 0 if at < len(held):
                held[at] = rng.randrange(256)
            case 1:
                del held[at:]
            case 2:
                del held[at : at + rng.randrange(1, 40)]
            case 3:
                held[at:at] = held[at : at + rng.randrange(1, 200)]
            case _:
                held[at:at] = rng.choice(LINES)
    return bytes(held)


def tables(rng: random.Random) -> Iterator[tuple[str, bytes]]:
    """Names and contents of tables as text, plain and compressed, without end."""
    text = frame().to_csv(index=False).encode()
    lines = frame().astype({"date": str}).to_json(orient="records", lines=True).encode()
    while True:
        data = spoilt(text, rng)
        yield "t.csv", data
        yield "t.tsv", spoilt(text.replace(b",", b"\t"), rng)
        yield "t.jsonl", spoilt(lines, rng)
        packed: dict[str, Any] = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}
        ending = rng.choice(sorted(packed))
        yield f"t.csv.{ending}", packed[ending](data)
        yield f"t.csv.{ending}", spoilt(packed[ending](text), rng)


def written(save: Any, value: Any) -> bytes:
    buffer = io.BytesIO()
    save(buffer, value)
    return buffer.getvalue()


def arrays(rng: random.Random) -> Iterator[tuple[str, bytes]]:
    """Names and contents of .npy, .npz, .parquet and .feather files, without end."""
    X = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)
    sound = [
        ("a.npy", written(np.save, X)),
        ("a.npz", written(np.savez, X)),
        ("a.npz", written(lambda file, x: np.savez_compressed(file, X=x, y=np.arange(40) % 2), X)),
        ("a.parquet", written(lambda file, f: f.to_parquet(file), frame())),
        ("a.feather", written(lambda file, f: f.to_feather(file), frame())),
    ]
    while True:
        for name, data in sound:
            yield name, spoilt(data, rng)


def pictures(rng: random.Random) -> Iterator[tuple[str, bytes]]:
    """Names and contents of images, without end."""
    pixels = np.random.default_rng(0).integers(0, 255, (12, 9, 3)).astype(np.uint8)
    image = Image.fromarray(pixels)
    sound = [
        (f"p.{kind.lower()}", written(lambda file, kind: image.save(file, kind), kind))
        for kind in ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF", "PPM")
    ]
    while True:
        for name, data in sound:
            yield name, spoilt(data, rng)
            yield name, rng.choice(sound)[1]


def by_hand(folder: Path) -> Iterator[Path]:
    """Bombs, pipes, links that make a circle, names that are no text, and members outside an archive."""
    with gzip.open(folder / "bomb.csv.gz", "wb") as packed:
        packed.write(b"a,b\n")
        for _ in range(100):
            packed.write(b"1,2\n" * (1 << 18))
    yield folder / "bomb.csv.gz"
    with (
        zipfile.ZipFile(folder / "bomb.npz", "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("X.npy", "w", force_zip64=True) as member,
    ):
        shape: dict[str, Any] = {"descr": "<f4", "fortran_order": False, "shape": (1 << 22, 16)}
        np.lib.format.write_array_header_1_0(member, shape)
        for _ in range(256):
            member.write(bytes(1 << 20))
    yield folder / "bomb.npz"
    pd.DataFrame({"a": np.zeros(1 << 24), "b": np.ones(1 << 24)}).to_parquet(folder / "bomb.parquet")
    yield folder / "bomb.parquet"
    (folder / "array.npz").write_bytes(written(np.save, np.eye(3)))
    yield folder / "array.npz"
    (folder / "objects.npy").write_bytes(written(np.save, np.array([print, {}], dtype=object)))
    yield folder / "objects.npy"
    for name in ("dates", "durations", "complex", "records", "text"):
        kinds = {"dates": "M8[D]", "durations": "m8[s]", "complex": "c16", "records": "f4,i4", "text": "U3"}
        np.save(folder / f"{name}.npy", np.zeros((9, 2), kinds[name]))
        yield folder / f"{name}.npy"
    for name in ("pipe.csv", "pipe.npy", "pipe.zip", "pipe.parquet"):
        os.mkfifo(folder / name)
        yield folder / name
    yield from _folders(folder)
    with tarfile.open(folder / "out.tar", "w") as tar:
        info = tarfile.TarInfo("../out.png")
        tar.addfile(info, io.BytesIO())
    yield folder / "out.tar"
    with zipfile.ZipFile(folder / "none.zip", "w"):
        pass
    yield folder / "none.zip"


def _folders(folder: Path) -> Iterator[Path]:
    """Folders of images with what is no image in them."""
    image = Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8))
    for name in ("pipes", "devices", "circle", "names", "empty", "folder.png"):
        place = folder / name
        place.mkdir()
        if name != "empty":
            image.save(place / "a.png")
            image.save(place / "b.png")
        if name == "pipes":
            os.mkfifo(place / "c.png")
        if name == "devices":
            (place / "zero.png").symlink_to("/dev/zero")
        if name == "circle":
            (place / "round").symlink_to(place)
            (place / "self.png").symlink_to(place / "self.png")
        if name == "names":
            for each in (b"\xff.png", b"=1+1.png", b"\x1b[2J\n.png"):
                os.rename(place / "a.png", os.fsencode(place) + b"/" + each)
                image.save(place / "a.png")
        if name == "folder.png":
            (place / "c.png").mkdir()
        yield place
