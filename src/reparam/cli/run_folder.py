"""The run folder: model.safetensors, history.jsonl, samples.npz, figures/, and the training checkpoint."""

import io
import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from .. import VAE, Training
from ..errors import DataError
from ..serialization.atomic import replace_file
from ..serialization.header import file_of
from ..training.distributed import launched
from ..training.trainer import Progress

SAVE_SECONDS = 20.0
"""Seconds between checkpoints: the most training that a kill or a power cut can lose."""
SAMPLE_BYTES = 64 << 20
"""The most bytes that the samples by epoch may use."""


def is_first_process(vae: VAE) -> bool:
    """Whether this process writes files; the other processes of the training, started here, do not."""
    training = vae.training or Training()
    return launched(training.devices, training.resolved_device()).rank == 0


class RunFolder:
    """A folder, and the samples by epoch of the model in it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.samples = folder, dict[int, Any]()
        self.training_file, self.samples_file = folder / "training.safetensors", folder / "samples.npz"

    def train(self, vae: VAE, X: Any, y: Any, resume: bool) -> Iterator[Progress]:
        """Fit, and save a checkpoint at intervals and when interrupted."""
        if self.folder.exists() and not self.folder.is_dir():
            raise DataError(f"{self.folder} is a file: give a folder with -o")
        if resume and not self.training_file.is_file():
            raise DataError(f"{self.folder} holds no stopped training: leave --resume out to start a new one")
        self.samples = read_samples(self.samples_file) if resume else {}
        every = (list(self.samples)[1] - 1) if len(self.samples) > 1 else 1
        saved, started = time.monotonic(), False
        epochs = vae.fit_iter(X, y, resume=self.training_file if resume else None)
        try:
            for progress in epochs:
                if not (started or resume):
                    self.clear()
                started = True
                if isinstance(X, np.ndarray) and (progress.epoch - 1) % every == 0:
                    kept = {epoch: x for epoch, x in self.samples.items() if epoch < progress.epoch}
                    self.samples = kept | {progress.epoch: decode_samples(vae, progress.epoch)}
                    every *= 1 + (sum(x.nbytes for x in self.samples.values()) > SAMPLE_BYTES)
                    self.samples = {e: x for e, x in self.samples.items() if (e - 1) % every == 0}
                if time.monotonic() - saved > SAVE_SECONDS or progress.epoch == progress.epochs:
                    self.save(vae)
                    saved = time.monotonic()
                yield progress
        except KeyboardInterrupt:
            if started:
                self.save(vae)
            raise

    def train_beside(self, vae: VAE, X: Any, y: Any, resume: bool) -> None:
        """Fit in a process other than the first, without writing files."""
        for _ in vae.fit_iter(X, y, resume=self.training_file if resume else None):
            pass

    def clear(self) -> None:
        """Remove the files of an earlier run from the folder."""
        for name in ("model.safetensors", "history.jsonl", "samples.npz", "training.safetensors"):
            (self.folder / name).unlink(missing_ok=True)
        shutil.rmtree(self.folder / "figures", ignore_errors=True)

    def save(self, vae: VAE) -> None:
        """Save the training checkpoint."""
        if self.samples:
            buffer = io.BytesIO()
            np.savez(buffer, samples=np.stack(list(self.samples.values())), epochs=list(self.samples))
            replace_file(self.samples_file, buffer.getvalue())
        vae.save_training(self.training_file)

    def finish(self, vae: VAE) -> None:
        """Model, history and figures."""
        from ..plotting import model_plots

        rows = "".join(json.dumps(row) + "\n" for row in vae.history_)
        replace_file(self.folder / "history.jsonl", rows.encode())
        attach_samples(vae, self.samples)
        model_plots.plot({"": vae}, None, self.folder / "figures")
        vae.save(self.folder / "model.safetensors")


def decode_samples(vae: VAE, epoch: int) -> Any:
    """Decoded means: the same z for every class, a new z at each epoch; ten samples without classes."""
    classes = vae.classes_
    z = np.random.default_rng(epoch).standard_normal((1 if classes is not None else 10, vae.latent_dim_))
    device = next(vae.model_.parameters()).device
    vae.model_.to("cpu")
    label = classes if classes is not None else vae.labels_.typical or None
    images = vae.inverse_transform(np.repeat(z, len(classes), 0) if classes is not None else z, label)
    vae.model_.to(device)
    return images.astype(np.float32)


def read_samples(path: Path) -> dict[int, Any]:
    """The samples by epoch; none where the file is missing or damaged."""
    if not path.is_file():
        return {}
    try:
        with np.load(path) as held:
            return dict(zip(map(int, held["epochs"]), held["samples"], strict=True))
    except Exception:  # a damaged archive may raise anything
        return {}


def attach_samples(vae: VAE, samples: dict[int, Any]) -> None:
    """Where `reparam.plotting.model_plots` finds the samples by epoch."""
    vae.samples_, vae.sampled_ = np.stack(list(samples.values())) if samples else None, list(samples)


def load_model(path: Path) -> VAE:
    """A model, and the samples by epoch beside it."""
    vae = VAE.load(file_of(path))
    attach_samples(vae, read_samples(path / "samples.npz"))
    return vae
