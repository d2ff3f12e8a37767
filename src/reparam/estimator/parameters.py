"""Arguments of `VAE` by name: fields of specs as `training__epochs`, and what an unknown name stands for.

A spec is frozen, so setting one of its fields replaces the argument.
"""

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from functools import wraps
from inspect import signature
from typing import Any, ParamSpec

from ..errors import SpecError
from ..nn import MLP
from ..objectives import ELBO
from ..specs.spec import Spec, annotations, default_of, no_argument, plain, rows, text
from ..training.config import Training

P = ParamSpec("P")

STARTS: dict[str, Spec] = {"training": Training()}
"""The spec that an argument of None stands for, where that does not depend on the data."""
HOMES: dict[str, type[Spec]] = {"training": Training, "encoder": MLP, "objective": ELBO}
"""Arguments whose fields are easily taken for arguments of VAE."""
HOME_OF = {field.name: home for home, cls in HOMES.items() for field in fields(cls)}


def fields_of(spec: Spec) -> dict[str, Any]:
    return {field.name: getattr(spec, field.name) for field in fields(spec)}


# -- fields of specs, for get_params and set_params ------------------------------------------------------


def nested(held: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of the specs in `held`, at every depth.

    >>> nested({"latent_dim": 2, "encoder": MLP((8,))})
    {'encoder__hidden': (8,), 'encoder__activation': 'relu', 'encoder__init': 'glorot'}
    """
    found: dict[str, Any] = {}
    for name, value in held.items():
        spec = STARTS.get(name) if value is None else value
        if isinstance(spec, Spec):
            own = fields_of(spec)
            found |= {f"{name}__{field}": each for field, each in (own | nested(own)).items()}
    return found


def with_fields(
    held: Mapping[str, Any], given: Mapping[str, Any], kinds: Mapping[str, Any], owner: str = "VAE"
) -> dict[str, Any]:
    """New values of what `owner` holds: `given` by name, first whole values, then fields of them.

    >>> with_fields({"encoder": MLP((8,))}, {"encoder__init": "he"}, {})
    {'encoder': MLP((8,), init='he')}
    """
    new: dict[str, Any] = {}
    below: dict[str, dict[str, Any]] = {}
    for key, value in given.items():
        name, nests, field = key.partition("__")
        if name not in held:
            known = list(held)
            raise SpecError(
                unknown_set(key, value, known) if owner == "VAE" else no_argument(owner, name, known)
            )
        if nests:
            below.setdefault(name, {})[field] = value
        else:
            new[name] = value
    for name, values in below.items():
        spec = new.get(name, held[name])
        spec = STARTS.get(name) if spec is None else spec
        if not isinstance(spec, Spec):
            raise SpecError(no_fields(name, spec, kinds.get(name), next(iter(values.items()))))
        cls: Any = type(spec)
        new[name] = replace(spec, **with_fields(fields_of(spec), values, annotations(cls), cls.__name__))
    return new


def no_fields(name: str, value: Any, kind: Any, given: tuple[str, Any]) -> str:
    """The message where a field is set of a value that has none."""
    field, nests, _ = given[0].partition("__")
    classes = [row.__name__ for row in rows(kind) if isinstance(row, type) and field in annotations(row)]
    if value is not None or not classes:
        return f"{name}={value!r} has no argument {field}: set {name} as a whole"
    own = f"{field}={'...' if nests else text(plain(given[1]))}"
    return f"{name} is None and has no argument {field}: set {name}={classes[0]}({own})"


# -- unknown arguments -----------------------------------------------------------------------------------


def names_unknown(init: Callable[P, None]) -> Callable[P, None]:
    """A decorator of `__init__`: the TypeError for an unknown argument says what to write instead.

    People, type checkers and scikit-learn see the signature of `init`.
    """
    known = [name for name in signature(init).parameters if name != "self"]

    @wraps(init)
    def checked(*args: P.args, **words: P.kwargs) -> None:
        if unknown := [name for name in words if name not in known]:
            raise TypeError(unknown_given(unknown, words, known))
        init(*args, **words)

    return checked


def unknown_given(unknown: Sequence[str], words: Mapping[str, Any], known: Sequence[str]) -> str:
    """The message for unknown arguments among the `words` given to VAE: all of them that are fields of a
    spec, else one."""
    for name in unknown:
        if "__" in name:
            return f"VAE has no argument {name}; set_params has. VAE(**vae.get_params(deep=False)) is a copy"
        if name not in HOME_OF:
            return f"VAE has no argument {name}; {nearest(name, known, lambda near: written([near], words))}"
    return f"VAE has no argument {', '.join(unknown)}; write {written(unknown, words)}"


def unknown_set(name: str, value: Any, known: Sequence[str]) -> str:
    """The message where `set_params` does not know a name."""
    if name in HOME_OF:
        return f"VAE has no argument {name}; write {HOME_OF[name]}__{name}={text(plain(value))}"
    return f"VAE has no argument {name}; {nearest(name, known, lambda near: f'{HOME_OF[near]}__{near}')}"


def nearest(name: str, known: Sequence[str], form: Callable[[str], str]) -> str:
    """The argument that is spelt most like `name`, or the field of one, in words of `form`."""
    near = difflib.get_close_matches(name, [*known, *HOME_OF], 1)
    if not near:
        return f"it takes {', '.join(known)}; settings of the training go in training=Training(...)"
    return f"did you mean {form(near[0]) if near[0] in HOME_OF else near[0]}?"


def written(names: Sequence[str], words: Mapping[str, Any]) -> str:
    """The arguments of VAE that have fields of these names, with the values of `words` where it has them."""
    each: dict[str, dict[str, Any]] = {}
    for name in names:
        each.setdefault(HOME_OF[name], {})[name] = words.get(name, ...)
    return ", ".join(f"{home}={call(home, values, words.get(home))}" for home, values in each.items())


def call(home: str, values: dict[str, Any], held: Any) -> str:
    """The text of a spec with these fields, beside those of `held`.

    >>> call("training", {"epochs": 5}, None), call("training", {"epochs": 5}, Training(validation=0.1))
    ('Training(epochs=5)', 'Training(validation=0.1, epochs=5)')
    """
    cls = HOMES[home]
    if isinstance(held, Spec) and values.keys() <= fields_of(held).keys():
        cls, defaults = type(held), {field.name: default_of(field) for field in fields(held)}
        values = {name: own for name, own in fields_of(held).items() if own != defaults[name]} | values
    words = (f"{name}={'...' if value is ... else text(plain(value))}" for name, value in values.items())
    return f"{cls.__name__}({', '.join(words)})"
