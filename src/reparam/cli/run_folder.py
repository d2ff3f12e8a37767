"""The run folder: model.safetensors, evaluation.json, history.jsonl, samples.npz, figures/, and the training
checkpoint."""

import io
import json
import math
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from .. import VAE, Training
from ..data.stream import taken
from ..errors import DataError, DivergedError, FormatError, SpecError
from ..serialization.atomic import clear_leftovers, locked, replace_file
from ..serialization.header import read_header
from ..training.distributed import launched
from ..training.trainer import Progress
from .pause import Stopped, TimedPause
from .startup import imported
from .terminal import warn

SAVE_SECONDS = 60.0
"""Seconds between checkpoints: the most training that a kill or a power cut can lose."""
SAMPLE_BYTES = 64 << 20
"""The most bytes that the samples by epoch may use."""
EVALUATION_ROWS, EVALUATION_SAMPLES = 1000, 20_000
"""The most rows on which a fit is evaluated, and the importance samples of all of them together."""


def is_first_process(vae: VAE) -> bool:
    """Whether this process writes files; the other processes of the training, started here, do not."""
    training = vae.training or Training()
    return launched(training.devices, training.resolved_device()).rank == 0


class RunFolder:
    """A folder, and the samples by epoch of the model in it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.samples = folder, dict[int, Any]()
        self.training_file, self.samples_file = folder / "training.safetensors", folder / "samples.npz"
        self.previous_file = folder / "training.previous.safetensors"
        self.model_file = folder / "model.safetensors"
        self.evaluation_file = folder / "evaluation.json"
        self.history_file, self.written = folder / "history.jsonl", False

    @contextmanager
    def reserved(self, resume: bool, overwrite: bool) -> Iterator[None]:
        """Inside, no other run writes to the folder; what a finished or a stopped run left is not lost."""
        if resume and not self._checkpoints():
            raise DataError(f"{self.folder} holds no stopped training: leave --resume out to start a new one")
        with locked(self.folder):
            if not (resume or overwrite) and self.finished():
                raise SpecError(f"{self.folder} holds a model: give another -o, or --overwrite to replace it")
            if not (resume or overwrite) and self._checkpoints():
                raise SpecError(
                    f"{self.folder} holds a stopped training: --resume continues it, --overwrite starts anew"
                )
            clear_leftovers(self.folder)
            yield

    def finished(self) -> bool:
        """Whether there is a model that is not one of a training under way; a damaged one counts."""
        if not self.model_file.is_file():
            return False
        try:
            header = read_header(self.model_file, newer=True)
        except FormatError:
            return True
        return "unfinished" not in header.get("trained_on", {})

    def _checkpoints(self) -> list[Path]:
        return [path for path in (self.training_file, self.previous_file) if path.is_file()]

    def checkpoint(self) -> Path:
        """The last checkpoint, or if it is damaged the one before."""
        *better, last = self._checkpoints()
        for path in better:
            try:
                read_header(path)
                return path
            except FormatError as error:
                warn(f"{error}; training goes on from the checkpoint before it")
        return last

    def train(
        self, vae: VAE, X: Any, y: Any, resume: bool, seconds: float = SAVE_SECONDS
    ) -> Iterator[Progress]:
        """Fit, and save a checkpoint at the first step, every so many seconds, and when a signal comes."""
        self.samples = read_samples(self.samples_file) if resume else {}
        every = (list(self.samples)[1] - 1) if len(self.samples) > 1 else 1
        protected, fresh = self.finished(), not resume

        def save() -> None:
            nonlocal fresh
            if fresh:
                self.clear(model=not protected)
                fresh = False
            self.save(vae, model=not protected)

        pause = TimedPause(seconds, save)
        epochs = vae.fit_iter(X, y, resume=self.checkpoint() if resume else None, pause=pause)
        with pause.listening():
            try:
                for progress in epochs:
                    if isinstance(X, np.ndarray) and (progress.epoch - 1) % every == 0:
                        kept = {epoch: x for epoch, x in self.samples.items() if epoch < progress.epoch}
                        self.samples = kept | {progress.epoch: decode_samples(vae, progress.epoch)}
                        every *= 1 + (sum(x.nbytes for x in self.samples.values()) > SAMPLE_BYTES)
                        self.samples = {e: x for e, x in self.samples.items() if (e - 1) % every == 0}
                    self.write_history(vae)
                    if progress.stopped:
                        self.evaluate(vae, X, y)
                    if progress.epoch == progress.epochs or pause.signal:
                        pause(stop=pause.signal is not None)
                    yield progress
            except KeyboardInterrupt:
                if not fresh:
                    save()
                raise
            except DivergedError:
                if not (resume or vae.history_):
                    self.clear(model=not protected)
                raise
        if pause.signal:
            raise Stopped(pause.signal)

    def train_beside(self, vae: VAE, X: Any, y: Any, resume: bool) -> None:
        """Fit in a process other than the first, without writing files."""
        pause = TimedPause(math.inf, lambda: None)
        with pause.listening():
            for _ in vae.fit_iter(X, y, resume=self.checkpoint() if resume else None, pause=pause):
                pass

    def clear(self, model: bool) -> None:
        """Remove the files of an earlier run from the folder, and its `model`."""
        for path in (
            self.training_file,
            self.previous_file,
            self.samples_file,
            self.evaluation_file,
            self.history_file,
        ):
            path.unlink(missing_ok=True)
        if model:
            self.model_file.unlink(missing_ok=True)
        shutil.rmtree(self.folder / "figures", ignore_errors=True)

    def write_history(self, vae: VAE) -> None:
        """Append the last epoch, for those who follow the training; at first write all."""
        rows = vae.history_[-1:] if self.written else vae.history_
        with open(self.history_file, "a" if self.written else "w", encoding="utf-8") as file:
            file.write("".join(json.dumps(row) + "\n" for row in rows))
        self.written = True

    def save(self, vae: VAE, model: bool) -> None:
        """Save the training checkpoint, and the `model` as it would be if training ended now."""
        if self.samples:
            buffer = io.BytesIO()
            np.savez(buffer, samples=np.stack(list(self.samples.values())), epochs=list(self.samples))
            replace_file(self.samples_file, buffer.getvalue())
        vae.save_training(self.training_file, self.previous_file)
        if model:
            vae.save(self.model_file)

    def evaluate(self, vae: VAE, X: Any, y: Any) -> None:
        """Write the evaluation on rows held out; where there are none, on training rows."""
        device = next(vae.model_.parameters()).device
        vae.model_.to("cpu")
        unseen = bool(len(vae.held_out_)) and vae.window is None
        rows, y = evaluation_subset(vae, X, y)
        found = vae.evaluate(rows, y, samples_for(rows.shape[0])).to_dict() | {"held_out": unseen}
        vae.model_.to(device)
        replace_file(self.evaluation_file, json.dumps(found).encode())

    def finish(self, vae: VAE, X: Any, y: Any) -> dict[str, Any]:
        """Write model, history, figures and evaluation; return the evaluation."""
        from ..plotting import model_plots

        if not any(row.get("stopped") for row in vae.history_):
            self.evaluate(vae, X, y)
        rows = "".join(json.dumps(row) + "\n" for row in vae.history_)
        replace_file(self.history_file, rows.encode())
        attach_samples(vae, self.samples)
        model_plots.plot({"": vae}, None, self.folder / "figures")
        vae.save(self.model_file)
        found: dict[str, Any] = json.loads(self.evaluation_file.read_text())
        return found


def evaluation_subset(vae: VAE, X: Any, y: Any) -> tuple[Any, Any]:
    """Rows to evaluate a fit on, EVALUATION_ROWS at most: the held-out rows, else the first."""
    rows = vae.held_out_ if len(vae.held_out_) and vae.window is None else np.arange(X.shape[0])
    rows = rows[:EVALUATION_ROWS]
    if y is not None:
        y = taken(y if hasattr(y, "iloc") else np.asarray(y), rows) if vae.labels_.reads_y else None
    return taken(X, rows), y


def samples_for(rows: int) -> int:
    """Importance samples for each of so many rows: more where they are few.

    >>> [samples_for(rows) for rows in (10, 50, 1000)]
    [1000, 400, 100]
    """
    return min(1000, max(100, EVALUATION_SAMPLES // rows))


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
    imported()
    vae = VAE.load(path)
    attach_samples(vae, read_samples(path / "samples.npz"))
    return vae
