"""Named data sets: from the folder `$REPARAM_DATA`, or downloaded once, with a checksum."""

import gzip
import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import DataError
from .readers.arrays import Array, Rows, archive, reading

ORIGINAL = "replace it with the original"  # correction for a file of a named data set


@dataclass(frozen=True)
class Remote:
    """Where the files of a data set are published; `files` maps each name to its sha256."""

    url: str
    files: Mapping[str, str]


REMOTES = {  # by folder in $REPARAM_DATA and in the cache
    "mnist": Remote(
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        {
            "train-images-idx3-ubyte.gz": "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
            "train-labels-idx1-ubyte.gz": "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
            "t10k-images-idx3-ubyte.gz": "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
            "t10k-labels-idx1-ubyte.gz": "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
        },
    ),
    "fashion-mnist": Remote(
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        {
            "train-images-idx3-ubyte.gz": "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
            "train-labels-idx1-ubyte.gz": "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
            "t10k-images-idx3-ubyte.gz": "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
            "t10k-labels-idx1-ubyte.gz": "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
        },
    ),
    "binarized_mnist": Remote(
        "http://www.cs.toronto.edu/~larocheh/public/datasets/binarized_mnist/",
        {
            "binarized_mnist_train.amat": "ad693b29f94c14277b095f5238ddefbbdaaae0939789dd2f4f0205278cee3e4d",
            "binarized_mnist_valid.amat": "1de3d397c40fe8eeb33dafd4099a1f665ec01e96d9be234aaeeac8a34930e2e2",
            "binarized_mnist_test.amat": "e6687bfea3f820c174f33b7865140b2a2dd2930ef786f35d45795fc193b5ab2c",
        },
    ),
}


def _digits(split: str) -> Rows:
    from sklearn.datasets import load_digits

    digits = load_digits()
    part = slice(-360, None) if split == "test" else slice(-360)
    return (digits.images[part] / 16).astype(np.float32), digits.target[part]


def _mnist(folder: str) -> Callable[[str], Rows]:
    def read(split: str) -> Rows:
        part = "t10k" if split == "test" else "train"
        images = _fetch(folder, f"{part}-images-idx3-ubyte.gz")
        labels = _fetch(folder, f"{part}-labels-idx1-ubyte.gz")
        return _idx(images, 3), _idx(labels, 1)

    return read


def _idx(path: Path, axes: int) -> Array:
    """IDX: two zeros, 8 for bytes, the number of axes, each length as a big-endian int32, the bytes."""
    with reading(path, ORIGINAL):
        raw = gzip.decompress(path.read_bytes())
        shape = np.frombuffer(raw, ">i4", count=axes, offset=4)
        if raw[:4] != bytes((0, 0, 8, axes)) or len(raw) != 4 + 4 * axes + shape.prod(dtype=np.int64):
            raise DataError(f"{path} is not an IDX file of bytes with {axes} axes; {ORIGINAL}")
        return np.frombuffer(raw, np.uint8, offset=4 + 4 * axes).reshape(shape).copy()


def _binarized_mnist(split: str) -> Rows:
    """Larochelle's fixed binarisation: bits in the .npz, two characters a pixel in the .amat."""
    if path := _local("binarized_mnist", "binarized_mnist.npz"):
        with reading(path, ORIGINAL), archive(path) as arrays:
            return np.unpackbits(arrays[split], axis=1).reshape(-1, 28, 28).astype(np.float32), None
    path = _fetch("binarized_mnist", f"binarized_mnist_{split}.amat")
    with reading(path, ORIGINAL):
        pixels = np.frombuffer(path.read_bytes(), np.uint8)[::2].reshape(-1, 28, 28)
        return (pixels == ord("1")).astype(np.float32), None


def _local(folder: str, file: str) -> Path | None:
    home = os.environ.get("REPARAM_DATA")
    path = Path(home or ".", folder, file)
    return path if home and path.is_file() else None


def _fetch(folder: str, file: str) -> Path:
    """The user's own file, which is trusted, or the published one, which must match its sha256."""
    if path := _local(folder, file):
        return path
    import pooch

    remote = REMOTES[folder]
    pooch.get_logger().setLevel(logging.WARNING)  # it would print where the cache is
    cure = f"put {folder}/{file} into a folder and set $REPARAM_DATA to that folder"
    cache, sha256 = pooch.os_cache("reparam") / folder, f"sha256:{remote.files[file]}"
    try:
        return Path(pooch.retrieve(remote.url + file, sha256, fname=file, path=cache))
    except OSError as error:  # requests raises every network error as one
        fault = f"{file} is not in $REPARAM_DATA and download of {remote.url} failed ({type(error).__name__})"
        raise DataError(f"{fault}; {cure}") from error
    except ValueError as error:
        raise DataError(f"{file} from {remote.url} does not match the published sha256; {cure}") from error


SETS: Mapping[str, tuple[tuple[str, ...], Callable[[str], Rows]]] = {  # name: its splits, its reader
    "digits": (("train", "test"), _digits),
    "mnist": (("train", "test"), _mnist("mnist")),
    "fashion-mnist": (("train", "test"), _mnist("fashion-mnist")),
    "binarized-mnist": (("train", "valid", "test"), _binarized_mnist),
}


NAMES = tuple(SETS)
