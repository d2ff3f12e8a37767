"""README.md of a folder of ONNX graphs: names, shapes, units, and a program that uses them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .. import VAE

MEANINGS = {
    "x": "the data, in their own units; from the decoder the mean of p(x|z), of a category the most probable",
    "z": "the code, all stochastic layers joined from the top; standard normal draws give new rows",
    "y": "the number of a class, from 0; of a model with covariates their numbers, as the table says",
    "mean": "the code's posterior mean",
    "sd": "a standard deviation: of the code from the encoder, of p(x|z) from the decoder",
    "probabilities": "of the classes, from the classifier",
    "reconstruction": "the mean of p(x|z) at the code's mean",
    "log_px_given_z": "log p(x|z) at the code's mean, nats per row",
    "kl": "KL(q(z|x) || p(z)), nats per row, over all layers; log q(z) - log p(z) where no closed form",
    "log_px": "log p(x), nats per row: the importance-weighted bound with 100 draws of fixed noise",
}


@dataclass(frozen=True)
class Field:
    """An input or output: its name and the shape of a row."""

    name: str
    shape: tuple[int, ...]

    @classmethod
    def of(cls, name: str, shape: tuple[int, ...]) -> "Field":
        return cls(name, shape[1:])

    def __str__(self) -> str:
        dims = ", ".join(["n", *map(str, self.shape)])
        return f"`{self.name}` ({dims}) {'int64' if self.holds_classes else 'float32'}"

    @property
    def holds_classes(self) -> bool:
        return self.name == "y" and not self.shape


def readme(
    vae: "VAE",
    graphs: Mapping[str, tuple[Sequence[Field], Sequence[Field]]],
    difference: Mapping[str, float],
    columns: Sequence[Mapping[str, Any]],
) -> str:
    """The page in Markdown."""
    names = {field.name for given, found in graphs.values() for field in (*given, *found)}
    blocks = [
        "# A variational autoencoder in ONNX",
        f"`{vae!r}`".replace("\n", " "),
        "The number of rows n is free.",
        "\n".join(
            ["| file | takes | gives | differs from torch by |", "|---|---|---|---|"]
            + [
                f"| `{name}.onnx` | {words(given)} | {words(found)} | {difference[name]:.1e} |"
                for name, (given, found) in graphs.items()
            ]
        ),
        "Differences are the largest of random and extreme rows, relative where a number is above 1.",
        "\n".join(f"- `{name}`: {MEANINGS[name]}." for name in MEANINGS if name in names),
        *units(vae, columns),
        "## Use",
        f"```python\n{program(graphs)}```",
    ]
    return "\n\n".join(blocks) + "\n"


def words(fields: Sequence[Field]) -> str:
    return ", ".join(map(str, fields))


def units(vae: "VAE", columns: Sequence[Mapping[str, Any]]) -> list[str]:
    """How the user's rows become x."""
    found = []
    if vae.model_.config.has_missing:
        found.append("NaN in x is a missing cell.")
    if vae.window_ is not None:
        found.append(f"A row of x is the last {vae.window_} values of the series, the newest last.")
    if vae.classes_ is not None:
        found.append(f"Classes by number: {', '.join(map(str, vae.classes_.tolist()))}.")
    if vae.labels_.known:
        found.append(
            "\n".join(
                ["| covariate | columns of y | as a number |", "|---|---|---|"]
                + [f"| {c.name} | {c.width} | {c.as_number} |" for c in vae.labels_.known]
            )
        )
    modelled = [column for column in columns if column["kind"] not in ("constant", "key")]
    if modelled:
        found.append(
            "\n".join(
                ["| column of x | name | kind | as a number |", "|---|---|---|---|"]
                + [f"| {i} | {c['name']} | {c['kind']} | {as_number(c)} |" for i, c in enumerate(modelled)]
            )
        )
    return found


def as_number(column: Mapping[str, Any]) -> str:
    if column.get("categories"):
        return "number of: " + ", ".join(map(str, column["categories"]))
    if column["kind"] == "date":
        return f"days since {column.get('value')}"
    origin = column.get("origin") or 0
    return f"the value less {origin:g}" if origin else "the value"


def program(graphs: Mapping[str, tuple[Sequence[Field], Sequence[Field]]]) -> str:
    """A program that runs the graphs on placeholder rows, with numpy and onnxruntime alone."""
    fields = {field.name: field for given, _ in graphs.values() for field in given}
    lines = ["import numpy as np", "import onnxruntime as ort", "", "n = 5"]
    makers = {
        "x": "x = np.zeros((n, {dims}), np.float32)  # your rows",
        "z": "z = np.random.default_rng(0).normal(size=(n, {dims})).astype(np.float32)",
        "y": "y = np.zeros((n, {dims}), np.float32)  # the covariates of each row",
    }
    if "y" in fields and fields["y"].holds_classes:
        makers["y"] = "y = np.zeros(n, np.int64)  # the class of each row"
    lines += [makers[name].format(dims=", ".join(map(str, f.shape))) for name, f in sorted(fields.items())]
    for name, (given, found) in graphs.items():
        names = ", ".join(f"{name}_{field.name}" for field in found)
        held = ", ".join(f'"{field.name}": {field.name}' for field in given)
        lines.append(f'{name} = ort.InferenceSession("{name}.onnx")')
        lines.append(f"{names}{',' if len(found) == 1 else ''} = {name}.run(None, {{{held}}})")
    lines.append(f"print(look_log_px_given_z{' - look_kl' if 'kl' in outputs(graphs) else ''})")
    return "\n".join(lines) + "\n"


def outputs(graphs: Mapping[str, tuple[Sequence[Field], Sequence[Field]]]) -> set[str]:
    return {field.name for _, found in graphs.values() for field in found}
