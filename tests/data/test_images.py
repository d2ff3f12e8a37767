"""Folders of pictures: what becomes of every kind of file, and a model that reads another folder alike."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from reparam.data.codecs.array import ArrayCodec
from reparam.data.load import load
from reparam.data.readers import images
from reparam.data.stream import Stream
from reparam.errors import DataError, SpecError
from reparam.nn.networks import MLP, Conv, default_network
from tests.cli.helpers import Capture, fit, run

RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (6, 10), dtype=np.uint8)
RGB = RNG.integers(0, 256, (6, 10, 3), dtype=np.uint8)
DEEP = RNG.integers(0, 65536, (6, 10), dtype=np.uint16)
ALPHA = np.dstack([RGB, np.where(np.arange(10) < 5, 255, 0)[None].repeat(6, 0).astype(np.uint8)])
ON_WHITE = np.where(ALPHA[..., 3:] > 0, RGB, 255)


def folder(path: Path, **pixels: np.ndarray) -> Path:
    for name, array in pixels.items():
        file = path / f"{name.replace('__', '/')}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(array).save(file)
    return path


@pytest.mark.parametrize(
    ("pixels", "expected"),
    [
        (GREY, GREY / 255),
        (RGB, RGB / 255),
        (DEEP, DEEP / 65535),
        (ALPHA, ON_WHITE / 255),
        (GREY > 127, GREY > 127),
    ],
    ids=["grey", "rgb", "16 bits", "see-through", "black and white"],
)
def test_pixels_are_kept_in_0_to_1(tmp_path: Path, pixels: np.ndarray, expected: np.ndarray) -> None:
    got = load(str(folder(tmp_path, a=pixels, b=pixels)))
    assert got.X.dtype == np.float32 and got.y is None and got.keys is not None
    np.testing.assert_allclose(got.X, [expected] * 2, atol=1e-7)
    assert list(got.keys) == ["a.png", "b.png"]


def test_modes_mix_and_sub_folders_are_classes(tmp_path: Path) -> None:
    got = load(str(folder(tmp_path, cat__a=GREY, cat__deep__b=RGB, dog__c=DEEP)))
    assert got.X.shape == (3, 6, 10, 3) and got.y is not None
    assert got.y.tolist() == ["cat", "cat", "dog"]
    np.testing.assert_allclose(got.X[0], (GREY / 255)[..., None].repeat(3, -1), atol=1e-6)
    np.testing.assert_allclose(got.X[2], (DEEP / 65535)[..., None].repeat(3, -1), atol=1e-6)


def test_exif_orientation_is_followed(tmp_path: Path) -> None:
    upright = np.zeros((40, 20), np.uint8)
    upright[:20] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    for name in "ab":
        Image.fromarray(np.rot90(upright)).save(tmp_path / f"{name}.jpg", exif=exif, quality=95)
    got = load(str(tmp_path))
    assert got.X.shape == (2, 40, 20)
    assert got.X[0, :18].min() > 0.9 and got.X[0, 22:].max() < 0.1


def test_a_size_is_chosen_and_said(tmp_path: Path) -> None:
    sizes = [(90, 60), (120, 80), (200, 30)]
    for i, (height, width) in enumerate(sizes):
        Image.new("L", (width, height)).save(tmp_path / f"{i}.jpg")
    got = load(str(tmp_path))
    assert got.X.shape == (3, 64, 32)
    assert "3 images read as 64x32 grey (height x width): the median 120x60 with its longer" in got.note
    asked = load(str(tmp_path), size=images.size_of("7x11"))
    assert asked.X.shape == (3, 7, 11) and "--size" not in asked.note
    assert images.size_of("9") == (9, 9)
    with pytest.raises(SpecError, match=r"HEIGHTxWIDTH in pixels, e.g. 64x96; not '7\*11'"):
        images.size_of("7*11")
    with pytest.raises(SpecError, match="leave --size out"):
        load("digits.npy", size=(3, 3))


@pytest.mark.parametrize("event", [(5, 7), (5, 7, 1), (1, 5, 7), (5, 7, 3), (3, 5, 7)])
def test_a_model_reads_a_folder_in_its_own_layout(tmp_path: Path, event: tuple[int, ...]) -> None:
    got = load(str(folder(tmp_path, a=GREY, b=RGB)), like=ArrayCodec(event, "float32"))
    assert got.X.shape == (2, *event) and not got.note
    with pytest.raises(DataError, match=r"fitted on rows of shape \(7,\), and a folder holds images"):
        load(str(tmp_path), like=ArrayCodec((7,), "float32"))


def test_parts_are_folders(tmp_path: Path) -> None:
    folder(tmp_path, train__cat__a=GREY, train__dog__b=GREY, test__dog__c=GREY)
    assert load(str(tmp_path)).y.tolist() == ["cat", "dog"]
    assert load(f"{tmp_path}:test").y.tolist() == ["dog"]


def png_header(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = chunk(b"IDAT", zlib.compress(bytes(100_000)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + pixels + chunk(b"IEND", b"")


def test_what_cannot_be_read_is_named_or_left_out(tmp_path: Path) -> None:
    folder(tmp_path, a__good=GREY, b__good=GREY)
    whole = (tmp_path / "a/good.png").read_bytes()
    faults = {
        "a/cut.png": (whole[:-40], "damaged or truncated"),
        "a/empty.jpg": (b"", "not an image"),
        "b/bomb.png": (png_header(60_000, 60_000), "too many pixels"),
        "b/large.png": (png_header(8_000, 8_000), "8000x8000 is too many pixels"),
        "b/words.gif": (b"words", "not an image"),
    }
    for name, (data, _) in faults.items():
        (tmp_path / name).write_bytes(data)
    Image.fromarray(GREY.astype(np.float32)).save(tmp_path / "floats.tif")
    with pytest.raises(DataError) as info:
        load(str(tmp_path))
    for name, (_, why) in faults.items():
        assert f"{name} ({why})" in str(info.value)
    assert "floats.tif (holds floats; save" in str(info.value)
    assert "6 of 8 images cannot be read" in str(info.value) and "--skip-bad" in str(info.value)
    got = load(str(tmp_path), skip_bad=True)
    assert got.keys.tolist() == ["a/good.png", "b/good.png"] and "a/cut.png" in got.note
    (tmp_path / "none").mkdir()
    with pytest.raises(DataError, match="holds no image"):
        load(str(tmp_path / "none"))


def test_a_large_jpeg_is_decoded_at_a_reduced_scale(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "PIXELS", 100_000)
    for name in ("a.jpg", "b.jpg"):
        Image.new("RGB", (1600, 800), "red").save(tmp_path / name)
    assert load(str(tmp_path)).X.shape == (2, 32, 64, 3)
    monkeypatch.setattr(images, "LARGE", 20_000)
    assert isinstance(load(str(tmp_path)).X, Stream)


def test_networks_for_pictures() -> None:
    assert default_network((28, 28)) == default_network((5000,)) == MLP(activation="silu")
    assert default_network((3, 32, 32)) == Conv((16, 32), activation="silu")
    assert default_network((3, 48, 64)) == Conv((16, 32, 64), activation="silu")
    assert default_network((200, 300)) == Conv((16, 32, 64, 128, 256, 256), activation="silu")


def test_from_a_folder_to_figures_and_back(tmp_path: Path, capsys: Capture) -> None:
    """A fit, and every verb on another folder of other sizes and modes."""
    pixels = {f"{c}__{i}": RNG.integers(0, 256, (37, 51, 3), dtype=np.uint8) for c in "uv" for i in range(4)}
    data, out = folder(tmp_path / "data", **pixels), tmp_path / "run"
    words = (
        "--set",
        "labels=Auxiliary(2)",
        "--epochs",
        2,
        "--size",
        "19x33",
        "--set",
        "encoder=Conv((4, 8))",
    )
    assert fit(data, "-o", out, *words) == 0
    assert "8 images read as 19x33 RGB" in capsys.readouterr().err
    other = folder(tmp_path / "other", u__x=GREY, v__y=DEEP, v__z=ALPHA)
    (other / "v/bad.png").write_bytes(b"bad")
    for verb in ("score", "encode"):
        assert run(verb, out, other, "-o", tmp_path / "s.csv") == 3
        assert run(verb, out, other, "-o", tmp_path / "s.csv", "--skip-bad") == 0
        assert pd.read_csv(tmp_path / "s.csv").file.tolist() == ["u/x.png", "v/y.png", "v/z.png"]
    assert "v/bad.png (not an image); left out" in capsys.readouterr().err
    assert run("encode", out, other, "-o", tmp_path / "z.npy", "--skip-bad") == 0
    assert np.load(tmp_path / "z.npy").shape == (3, 32)
    assert run("evaluate", out, other, "-k", 3, "--json", "--skip-bad") == 0
    assert '"accuracy"' in capsys.readouterr().out
    assert run("reconstruct", out, data, "-o", tmp_path / "r.npy") == 0
    assert np.load(tmp_path / "r.npy").shape == (8, 19, 33, 3)
    assert run("sample", out, "--label", "v", "-n", 3, "-o", tmp_path / "g.png") == 0
    assert run("plot", out, "--data", data, "-o", tmp_path / "figures") == 0
