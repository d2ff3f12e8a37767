"""Models on the hub of Hugging Face: a folder with one model file and a card that says what it is.

Nothing but safetensors is written or read; a model from the hub is opened as safely as one from disk.
"""

import io
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import DataError, extra
from ..evaluation.evaluate import Evaluation
from ..evaluation.metric_names import title_of, unit_of
from ..plotting.mosaic import is_picture, mosaic, shade
from ..recipes.recipes import citation
from ..serialization.atomic import replace_file

if TYPE_CHECKING:
    from huggingface_hub import ModelCardData

    from .. import VAE

MODEL = "model.safetensors"
PICTURE = "samples.png"
METRICS = ("log_likelihood", "bits_per_dim", "elbo", "rate", "distortion", "active_units", "accuracy")
"""The metrics that a card shows."""


def words_of(metric: str) -> str:
    """A metric's name and unit."""
    return ", ".join(filter(None, (title_of(metric), unit_of(metric))))


@contextmanager
def hub_errors(name: str) -> Iterator[None]:
    """What the hub's client raises, as DataError in one line."""
    with extra("hub", "the model hub"):
        from huggingface_hub.errors import HfHubHTTPError, HFValidationError
    try:
        yield
    except (HfHubHTTPError, HFValidationError, OSError) as error:
        words = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"{name} on the hub: {words[:300]}") from error


def push_to_hub(
    vae: "VAE",
    repo_id: str,
    evaluation: Evaluation | None = None,
    *,
    commit_message: str = "Add a model of reparam",
    private: bool | None = None,
    token: str | bool | None = None,
    revision: str | None = None,
    create_pr: bool = False,
    endpoint: str | None = None,
) -> str:
    """Upload a fitted model with its card to `repo_id`, "user/name", which is made if it does not exist;
    the address of the commit. Keywords are those of huggingface_hub; `evaluation` goes into the card."""
    with hub_errors(repo_id):
        from huggingface_hub import HfApi

        api = HfApi(endpoint=endpoint, token=token, library_name="reparam")
        with tempfile.TemporaryDirectory() as folder:
            write_folder(vae, folder, repo_id, evaluation)
            repo = api.create_repo(repo_id, private=private, exist_ok=True)
            done: Any = api.upload_folder(
                repo_id=repo.repo_id,
                folder_path=folder,
                commit_message=commit_message,
                revision=revision,
                create_pr=create_pr,
            )
    return str(done.pr_url or done.commit_url)


def found(name: str | Path, **options: Any) -> Path:
    """The model file of a folder or a file on this machine, or else of a repository of the hub, from its
    cache; `options` are those of `hf_hub_download`."""
    path = Path(name)
    if path.is_dir():
        return path / MODEL
    if path.is_file():
        return path
    with hub_errors(str(name)):
        from huggingface_hub import hf_hub_download

        return Path(hf_hub_download(str(name), MODEL, library_name="reparam", **options))


def write_folder(vae: "VAE", folder: str | Path, name: str, evaluation: Evaluation | None = None) -> None:
    """What is uploaded: the model file, README.md and, of a model of images, a picture of samples."""
    folder = Path(folder)
    vae.save(folder / MODEL)
    drawn = is_picture(vae.event_)
    if drawn:
        replace_file(folder / PICTURE, picture_of(vae))
    replace_file(folder / "README.md", card(vae, name, evaluation, drawn).encode())


def picture_of(vae: "VAE") -> bytes:
    """Samples of the mean of p(x|z) as a PNG."""
    from PIL import Image

    x = vae.sample(32, mean=True, random_state=0)
    file = io.BytesIO()
    tiles = mosaic(shade(x, getattr(vae.likelihood_, "top", None), x), 8)
    Image.fromarray(tiles).save(file, "PNG")
    return file.getvalue()


def card(vae: "VAE", name: str, evaluation: Evaluation | None, drawn: bool) -> str:
    """README.md: metadata, what the model is, how good it is, and how to use it."""
    spec = "\n".join(f"{key} = {text}" for key, text in vae.config_.to_spec(complete=False).items())
    recipe = getattr(vae, "trained_on_", {}).get("recipe")
    blocks = [
        f"# {name.rpartition('/')[2]}",
        "A variational autoencoder of the Python library reparam.",
        *([f"![samples of the model]({PICTURE})"] if drawn else []),
        f"```python\nfrom reparam import VAE\n\nvae = VAE.from_pretrained({name!r})\nvae.sample(16)\n```",
        *(["## Evaluation", *measured(evaluation)] if evaluation is not None else []),
        f"## Specification\n\n```\n{spec}\n```",
    ]
    if cited := citation(recipe):
        blocks.append(f"## Citation\n\n```bibtex\n{cited.strip()}\n```")
    return f"---\n{metadata(vae, name, evaluation, drawn).to_yaml()}\n---\n\n" + "\n\n".join(blocks) + "\n"


def measured(evaluation: Evaluation) -> list[str]:
    """The table of an evaluation, and its warnings."""
    figures = {words_of(name): getattr(evaluation, name) for name in METRICS}
    rows = [f"| {words} | {value_of(value)} |" for words, value in figures.items() if value is not None]
    about = f"On {evaluation.n:,} held-out rows, with {evaluation.k} importance samples."
    warned = ["\n".join(f"- {words}" for words in evaluation.warnings)] if evaluation.warnings else []
    return [about, "\n".join(["| | |", "|---|---|", *rows]), *warned]


def value_of(value: Any) -> str:
    return str(value) if isinstance(value, int) or hasattr(value, "se") else f"{value:.4g}"


def metadata(vae: "VAE", name: str, evaluation: Evaluation | None, drawn: bool) -> "ModelCardData":
    """What the hub reads of the card."""
    from huggingface_hub import EvalResult, ModelCardData

    data = getattr(vae, "trained_on_", {}).get("data") or "held-out rows"
    task = "unconditional-image-generation" if drawn else "feature-extraction"
    results = [
        EvalResult(
            task,
            "custom",
            Path(str(data)).name,
            key,
            float(getattr(value, "mean", value)),
            metric_name=words_of(key),
        )
        for key in METRICS
        if evaluation is not None and (value := getattr(evaluation, key)) is not None
    ]
    more: dict[str, Any] = {"widget": [{"text": "samples", "output": {"url": PICTURE}}]} if drawn else {}
    return ModelCardData(
        model_name=name.rpartition("/")[2],
        library_name="reparam",
        pipeline_tag=task,
        tags=["variational-autoencoder", "density-estimation"],
        eval_results=results or None,
        **more,
    )
