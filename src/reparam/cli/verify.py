"""`reparam verify`: whether the files of a model are what was written."""

from pathlib import Path

from ..errors import DataError, FormatError
from .arguments import AsJson, ModelPath
from .output import print_json
from .terminal import say

SOUND = "sound"


def verify(model: ModelPath, as_json: AsJson = False) -> None:
    """Check the checksums, the header and the weights of a model file, and of the checkpoints beside it."""
    from .. import VAE
    from ..serialization import model_file

    names = ("model.safetensors", "training.safetensors", "training.previous.safetensors")
    files = [model / name for name in names if (model / name).is_file()] if model.is_dir() else [model]
    if not files:
        raise DataError(f"there is no model at {model}: give a run folder or a .safetensors file")
    found: dict[str, str] = {}
    for path in files:
        try:
            if path.name.startswith("training."):
                model_file.read(path)
            else:
                VAE.load(path)
            found[str(path)] = SOUND
        except FormatError as error:
            found[str(path)] = str(error)
    if as_json:
        print_json(found)
    else:
        for name, fault in found.items():
            say(f"{name}: {fault}")
    if bad := [name for name, fault in found.items() if fault != SOUND]:
        raise FormatError(f"{len(bad)} of {len(found)} files are damaged, {Path(bad[0]).name} among them")
