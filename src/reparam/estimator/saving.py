"""Save and load a fitted `VAE` or a stopped training."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from ..errors import FormatError, ReparamError, SpecError
from ..memory import is_out_of_memory
from ..model.labels import NoLabels
from ..model.model import Model
from ..serialization import model_file
from ..serialization.header import file_of
from ..specs.parse import parse
from ..specs.schedules import Ramp, ramps
from ..specs.spec import Spec
from ..training.checkpoint import Checkpoint
from ..training.config import Training, default_rate
from ..training.trainer import Trainer
from .defaults import default_objective, resolve
from .fitting import adopt
from .preprocessing import Preprocessor
from .validation import KINDS, model_arguments, stated_seed

Estimator = TypeVar("Estimator")


def save(vae: Any, path: str | Path) -> None:
    """The fitted model; while it trains, what it would be if training ended now."""
    training = getattr(vae, "trainer_", None)
    unfinished = {"unfinished": training.epoch} if training else {}
    weights = training.weights_so_far() if training else vae.model_.state_dict()
    header = {
        "spec": vae.config_.to_spec(),
        "seed": vae.seed_,
        "history": [{name: v for name, v in row.items() if name != "seconds"} for row in vae.history_],
        "trained_on": getattr(vae, "trained_on_", {}) | unfinished,
        **vae.preprocessor_.to_header(),
    }
    model_file.write(path, weights, header)


def load(
    cls: type[Estimator],
    path: str | Path,
    specs: Sequence[type[Spec]] = (),
    modules: Mapping[str, Any] | None = None,
) -> Estimator:
    if unknown := set(modules or ()) - {"encoder", "decoder"}:
        raise SpecError(f"modules has {min(unknown)!r}; it takes 'encoder' and 'decoder'")
    path = file_of(Path(path))
    tensors, header = model_file.read(path)
    try:
        spec = {"window": "None"} | header["spec"]
        arguments = {name: parse(spec[name], kind, specs) for name, kind in KINDS.items()}
        for role in ("encoder", "decoder"):
            arguments[role] = arguments[role].bound(role, (modules or {}).get(role))
        arguments["training"] = replace(
            arguments["training"], device="auto"
        )  # the file may be of another machine
        vae: Any = cls(**arguments)
        preprocessor = Preprocessor.from_header(
            header, vae, arguments["labels"] or NoLabels(), arguments["likelihood"]
        )
        if type(arguments["random_state"]) is not int:
            raise FormatError(f"{path}: random_state is no whole number")
        vae.preprocessor_ = preprocessor
        seed = stated_seed(arguments["random_state"])
        adopt(vae, resolve(vae.get_params(deep=False), preprocessor, seed, None))
        vae.arguments_ = model_arguments(vae)
        vae.history_, vae.trained_on_ = header["history"], header["trained_on"]
        vae.seed_ = int(header.get("seed", vae.random_state_))
        with model_file.AllocationLimit(tensors, path):
            vae.model_ = Model(preprocessor.codec.shape, vae.config_.model).eval()
    except FormatError:
        raise
    except ReparamError as error:
        raise FormatError(f"{path}: {error}") from None
    except model_file.DAMAGE as error:
        if is_out_of_memory(error):
            raise
        fault = (str(error).splitlines() or [""])[0]
        raise FormatError(f"{path} has a damaged header ({type(error).__name__}: {fault})") from error
    model_file.load_weights(vae.model_, tensors, path)
    found: Estimator = vae
    return found


def save_training(vae: Any, path: str | Path, previous: Path | None = None) -> None:
    checkpoint = Checkpoint.of(vae.trainer_)
    header = {"spec": vae.config_.to_spec(), "history": vae.history_, "training": checkpoint.numbers}
    model_file.write(path, checkpoint.tensors, header, previous)


def continue_schedules(vae: Any, objective: str, stopped: Training) -> None:
    """A default objective goes on as it was: its warm-up depends on the number of epochs, which may have
    changed. So does a learning rate that is not said, but today's default falls to 0 at the new end."""
    config = vae.config_
    if vae.objective is None:
        held = parse(objective, KINDS["objective"])
        warm_ups: list[int | None] = [
            ramp.steps for ramp in ramps(held if isinstance(held, tuple) else (held,))
        ] or [None]
        if held in [default_objective(config.model.labels, steps) for steps in warm_ups]:
            config = replace(config, objective=held)
    rate = stopped.learning_rate
    is_default = isinstance(rate, Ramp) and rate == default_rate(rate.steps)
    if (vae.training or Training()).learning_rate is None and not is_default:
        config = replace(config, training=replace(config.training, learning_rate=rate))
    adopt(vae, config)
    vae.trainer_ = Trainer(vae.model_, config.terms, config.training, vae.seed_)


def continue_labels(vae: Any, labels: str) -> None:
    """A label head that an older version completed otherwise for its default objective goes on as it was."""
    held, config = parse(labels, KINDS["labels"]), vae.config_
    if held is not None and held.with_default_objective() == config.model.labels:
        model = replace(config.model, labels=held)
        vae.model_.config = model
        adopt(vae, replace(config, model=model))


def restore(vae: Any, path: str | Path) -> None:
    """Set the trainer of a new fit to the file's state; SpecError where that is of another fit."""
    path = file_of(Path(path))
    tensors, header = model_file.read(path)
    try:
        spec = header["spec"]
        if not isinstance(header.get("training"), dict):
            raise FormatError(f"{path} is a model and no stopped training")
        stopped: Training = parse(spec["training"], Training)
        if vae.objective is None:
            continue_labels(vae, spec["labels"])
        continue_schedules(vae, spec["objective"], stopped)
    except FormatError:
        raise
    except model_file.DAMAGE as error:
        raise FormatError(f"{path} has a damaged header: {str(error).partition(chr(10))[0]}") from None
    ours = vae.config_.to_spec()
    held = {name: header["spec"].get(name) for name in KINDS if name != "training"}
    differs = [name for name, value in held.items() if value != ours[name]]
    if "labels" in differs and parse(spec["labels"], KINDS["labels"]) == vae.labels_:
        differs.remove("labels")  # the text of an older version lacks newer fields
    if type(stopped.optimiser) is not type(vae.training_.optimiser):
        differs.append("training.optimiser")
    if differs:
        raise SpecError(
            f"{path} is from another fit: {', '.join(differs)} differ; leave resume out to start a new fit"
        )
    try:
        Checkpoint(tensors, header["training"]).restore(vae.trainer_)
    except model_file.DAMAGE as error:
        fault = str(error).partition("\n")[0]
        raise FormatError(f"{path} holds no training state for this model and data ({fault})") from None
    vae.history_ = list(header["history"])
