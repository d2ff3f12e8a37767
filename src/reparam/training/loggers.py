"""Experiment trackers for the metrics of each epoch, by Lightning's loggers."""

from importlib import import_module
from pathlib import Path
from typing import Any

from ..errors import SpecError
from .trainer import Progress

HOMES = {
    "csv": ("lightning_fabric.loggers", "CSVLogger"),
    "tensorboard": ("lightning_fabric.loggers", "TensorBoardLogger"),
    "wandb": ("pytorch_lightning.loggers", "WandbLogger"),
    "mlflow": ("pytorch_lightning.loggers", "MLFlowLogger"),
}
FIGURES = ("loss", "bound", "rate", "distortion", "validation", "seconds")


class Tracker:
    """A Lightning logger for the metrics of a `Progress`."""

    def __init__(self, name: str, folder: Path) -> None:
        if name not in HOMES:
            raise SpecError(f"unknown tracker {name!r}: use {', '.join(HOMES)}")
        home, kind = HOMES[name]
        words: dict[str, dict[str, Any]] = {
            "csv": {"root_dir": folder, "name": "log", "version": ""},
            "tensorboard": {"root_dir": folder, "name": "tensorboard", "version": ""},
            "wandb": {"save_dir": folder, "name": folder.name, "project": "reparam"},
            "mlflow": {"save_dir": str(folder / "mlflow"), "run_name": folder.name},
        }
        try:
            self.logger = getattr(import_module(home), kind)(**words[name])
        except ImportError:
            raise SpecError(f"--log {name} needs pip install 'reparam[trackers]'") from None

    def log(self, progress: Progress) -> None:
        """Log in nats per datum, at the last step of the epoch."""
        row = progress.row()
        figures = {name: row[name] for name in FIGURES}
        figures |= {f"term/{name}": value for name, value in row["terms"].items()}
        self.logger.log_metrics({n: v for n, v in figures.items() if v is not None}, step=progress.step)

    def close(self) -> None:
        self.logger.finalize("success")
