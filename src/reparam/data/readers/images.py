"""Images: a folder of files, or a .zip or .tar, becomes one array; sub-folders are classes.

EXIF orientation is applied. Each image is scaled and centre-cropped to one size; transparent pixels
become white. The header is read before decoding: too many pixels raise an error, and a large JPEG is
decoded at a reduced scale.
"""

import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from ...errors import DataError, SpecError
from ..stream import BUFFER, LARGE, Stream
from .archives import Files

Array = NDArray[Any]
ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".pgm", ".ppm")
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF", "PPM")
GREY = ("1", "L", "LA", "I", "I;16", "I;16B", "I;16L")
LONGEST = 64
"""Default number of pixels on the longer side: a network for these trains on a laptop."""
PIXELS = 50_000_000
"""The most pixels of one decoded image: about 200 MB while it is read."""
BLOCK = 64
"""Images that a stream reads at once."""
NAMED = 8
"""The most unreadable files that are named."""
CURE = "repair or remove them, or leave them out with --skip-bad"


@dataclass(frozen=True)
class Layout:
    """The shape of every image of a data set: (height, width), and 3 channels last if in colour."""

    height: int
    width: int
    colour: bool

    @property
    def event(self) -> tuple[int, ...]:
        return (self.height, self.width, 3) if self.colour else (self.height, self.width)

    def __str__(self) -> str:
        return f"{self.height}x{self.width} {'RGB' if self.colour else 'grey'}"


class Folder(NamedTuple):
    X: Any  # (n, H, W) or (n, H, W, 3), float32 in [0, 1]; or a stream of them
    y: Array | None  # (n,) names of sub-folders, unless some image is in none
    names: Array  # (n,) paths inside the folder
    note: str  # the chosen size, and the files that were left out


def size_of(word: str) -> tuple[int, int]:
    """Height and width, as in "64x96"; "64" is square."""
    match = re.fullmatch(r"(\d{1,5})(?:x(\d{1,5}))?", word)
    if not match or not (height := int(match[1])) or not (width := int(match[2] or match[1])):
        raise SpecError(f"a size is HEIGHTxWIDTH in pixels, e.g. 64x96; not {word!r}")
    return height, width


@dataclass
class Album:
    """The images of a folder, and how each becomes a row of shape `event`."""

    files: Files
    paths: list[PurePosixPath]
    layout: Layout
    event: Sequence[int]
    bad: dict[PurePosixPath, str]

    def rows(self, some: slice = slice(None)) -> Array:
        """(n, *event), zeros where an image cannot be read."""
        paths = self.paths[some]
        X = np.zeros((len(paths), *self.layout.event), np.float32)
        for row, path in zip(X, paths, strict=True):
            if path not in self.bad:
                with _collected(self.bad, path):
                    row[:] = _pixels(self.files, path, self.layout)
        if len(self.event) == 3:
            X = X.reshape(len(X), self.layout.height, self.layout.width, -1)
            X = np.moveaxis(X, -1, 1) if self.event[0] in (1, 3) else X
        return X

    def block(self, i: int) -> Array:
        """The rows of a stream's block; DataError where one cannot be read."""
        rows = self.rows(slice(i * BLOCK, (i + 1) * BLOCK))
        if self.bad:
            raise self.error()
        return rows

    def stream(self, buffer: int) -> Stream:
        n = len(self.paths)
        return Stream([min(BLOCK, n - first) for first in range(0, n, BLOCK)], self.block, buffer)

    def fault(self) -> str:
        listed = [f"{p} ({why})" for p, why in sorted(self.bad.items())[:NAMED]]
        more = [f"and {len(self.bad) - NAMED} more"] if len(self.bad) > NAMED else []
        how_many = f"{len(self.bad)} of {len(self.paths)} images cannot be read"
        return f"{self.files.place}: {how_many}: {', '.join(listed + more)}"

    def error(self) -> DataError:
        return DataError(f"{self.fault()}; {CURE}")


def read(
    files: Files,
    size: tuple[int, int] | None = None,
    event: Sequence[int] | None = None,
    skip_bad: bool = False,
    buffer: int | None = None,
) -> Folder:
    """Every image among `files`, in the order of their paths.

    `event`: the row shape of a fitted model; else `size` (height, width), or the median size with its longer
    side at most LONGEST, in colour unless every image is grey. A DataError names the files that cannot be
    read, unless `skip_bad` leaves them out. With a `buffer`, or where all would fill more than LARGE, images
    are read when they are needed.
    """
    paths = [name for name in files.names if name.suffix.lower() in ENDINGS and name.name[0] != "."]
    if not paths:
        raise DataError(f"{files.place} holds no image; put files in it that end with {', '.join(ENDINGS)}")
    bad: dict[PurePosixPath, str] = {}
    layout, note = (_fitted(event), "") if event is not None else _chosen(files, paths, size, bad)
    album = Album(files, paths, layout, event or layout.event, bad)
    large = 4 * len(paths) * np.prod(layout.event, dtype=object) > LARGE
    X: Any = None if buffer or large else album.rows()
    if X is None and skip_bad:
        for first in range(0, len(paths), BLOCK):
            album.rows(slice(first, first + BLOCK))
    if bad:
        if not skip_bad or len(bad) == len(paths):
            raise album.error()
        note = f"{album.fault()}; left out\n{note}".strip()
        kept = [path not in bad for path in paths]
        X = None if X is None else X[kept]
        album = replace(album, paths=[path for path in paths if path not in bad], bad={})
    names = [PurePosixPath(as_text(path)) for path in album.paths]
    nested = all(len(name.parts) > 1 for name in names)
    y = np.array([name.parts[0] for name in names]) if nested else None
    if X is None:
        X = album.stream(buffer or BUFFER)
    return Folder(X, y, np.array([name.as_posix() for name in names]), note)


def as_text(path: PurePosixPath) -> str:
    r"""A name as text; its bytes that are none are written as \xff."""
    return path.as_posix().encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _fitted(event: Sequence[int]) -> Layout:
    """The layout of a model's rows: (H, W), or with 1 or 3 channels first or last."""
    channels, sides = 1, tuple(event)
    if len(event) == 3:
        channels, sides = (event[0], sides[1:]) if event[0] in (1, 3) else (event[2], sides[:2])
    if len(sides) != 2 or channels not in (1, 3):
        raise DataError(f"this model was fitted on rows of shape {tuple(event)}, and a folder holds images")
    return Layout(*sides, channels == 3)


def _chosen(
    files: Files, paths: list[PurePosixPath], size: tuple[int, int] | None, bad: dict[PurePosixPath, str]
) -> tuple[Layout, str]:
    """The layout of training data, from the file headers, and a note that describes it."""
    sizes, colour = [], False
    for path in paths:
        with _collected(bad, path), _opened(files, path) as picture:
            turned = picture.format != "PNG" and picture.getexif().get(0x0112, 1) >= 5
            sizes.append(picture.size if turned else picture.size[::-1])
            colour |= picture.mode not in GREY
    if not sizes:
        return Layout(*(size or (1, 1)), False), ""
    height, width = (float(side) for side in np.median(sizes, axis=0))
    scale = min(1.0, LONGEST / max(height, width))
    sides = size or (max(1, round(scale * height)), max(1, round(scale * width)))
    layout = Layout(*sides, colour)
    why = "" if scale == 1 else f" with its longer side at most {LONGEST}"
    chosen = f": the median {height:.0f}x{width:.0f}{why}; --size HEIGHTxWIDTH changes it"
    note = f"{files.place}: {len(sizes)} images read as {layout} (height x width)"
    return layout, note if size else note + chosen


@contextmanager
def _opened(files: Files, path: PurePosixPath) -> Iterator[Image.Image]:
    with files.open(path) as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        with Image.open(file, formats=FORMATS) as picture:
            yield picture


@contextmanager
def _collected(bad: dict[PurePosixPath, str], path: PurePosixPath) -> Iterator[None]:
    """A decoder may raise anything on a damaged file: the reason goes into `bad`."""
    try:
        yield
    except MemoryError:
        raise
    except DataError as error:
        bad[path] = str(error)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        bad[path] = "too many pixels"
    except FileNotFoundError:
        bad[path] = "vanished"
    except UnidentifiedImageError:
        bad[path] = "not an image"
    except Exception:
        bad[path] = "damaged or truncated"


def _pixels(files: Files, path: PurePosixPath, layout: Layout) -> Array:
    """One file -> (H, W) or (H, W, 3) in [0, 1]; 16-bit integers keep their precision."""
    mode, shape = "RGB" if layout.colour else "L", (layout.width, layout.height)
    with _opened(files, path) as file:
        file.draft(mode, (2 * max(shape), 2 * max(shape)))
        if file.width * file.height > PIXELS:
            raise DataError(f"{file.width}x{file.height} is too many pixels")
        if file.mode == "F":
            raise DataError("holds floats; save integers of 8 or 16 bits")
        picture = ImageOps.exif_transpose(file)
        deep, seen_through = picture.mode.startswith("I"), picture.has_transparency_data
        picture = ImageOps.fit(picture.convert("F" if deep else "RGBA" if seen_through else mode), shape)
        if picture.mode == "RGBA":
            white = Image.new("RGBA", shape, "white")
            picture = Image.alpha_composite(white, picture).convert(mode)
        pixels = np.asarray(picture, np.float32) / (65535 if deep else 255)
        pixels = pixels[..., None] if pixels.ndim < len(layout.event) else pixels
        return np.clip(pixels, 0, 1)
