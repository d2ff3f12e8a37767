"""A fitted model between the user's data and tensors."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.utils.validation import check_is_fitted
from torch import Tensor
from torch.distributions import Distribution

from ..data.batching import Rows
from ..data.codecs.base import Codec
from ..evaluation.passes import over_rows, rows_at_once
from ..model.model import Model
from .preprocessing import Preprocessor
from .targets import Targets
from .validation import seed_of

if TYPE_CHECKING:
    from .vae import VAE

Array = np.ndarray[Any, Any]
Shown = Callable[[Distribution], Tensor]
"""A function of p(x|z): its mean, or a sample."""


@dataclass(frozen=True)
class Fitted:
    """What every use of a fitted VAE needs: the model, what X and y become, and the seed of its noise."""

    model: Model
    preprocessor: Preprocessor
    seed: int

    @classmethod
    def of(cls, vae: "VAE", random_state: Any = None) -> Self:
        """NotFittedError before a fit. The seed is that of the fit where `random_state` is None."""
        check_is_fitted(vae)
        vae.model_.eval()
        return cls(
            vae.model_, vae.preprocessor_, vae.seed_ if random_state is None else seed_of(random_state)
        )

    @property
    def codec(self) -> Codec:
        return self.preprocessor.codec

    @property
    def targets(self) -> Targets:
        return self.preprocessor.targets

    @property
    def latent_dim(self) -> int:
        """The length of a code, all layers together."""
        return sum(self.model.latents.dims)

    def rows(self, X: Any, y: Any = None) -> Rows:
        """X as the model reads it, and the labels that it is conditional on."""
        return self.preprocessor.transform(X, y)

    def cells(self, X: Any, y: Any = None) -> tuple[Tensor, Tensor | None]:
        """`rows` with every cell in memory."""
        return self.preprocessor.cells(X, y)

    def each_row(self, f: Callable[[Tensor, Tensor | None], Tensor], X: Any, y: Any = None) -> Tensor:
        """f of rows and their labels, in batches that fit in memory."""
        return over_rows(f, *self.rows(X, y), rows_at_once(self.model))

    def codes(self, X: Any, y: Any = None) -> Array:
        """Posterior means (n, L)."""
        return self.each_row(self.model.encode, X, y).numpy()

    def code(self, x: Any, label: Any = None) -> Array:
        """The code (1, L) of one row."""
        return self.codes(self.codec.row(x), label)

    def decoded(
        self, state: Callable[[Tensor], Tensor | None], rows: Tensor, label: Any, shown: Shown
    ) -> Any:
        """`shown` of p(x | state, label), with the shape and type of X; `state` takes some rows at a time, so
        that memory is bounded."""
        n, event, labels = len(rows), self.model.event, self.targets.labels
        condition = self.targets.condition(label, n)

        def decoded(a: Tensor, c: Tensor | None) -> Tensor:
            px = self.model.decode(state(a), None if c is None else labels.code(c)[None])
            return shown(px).reshape(len(a), *event)

        at_once = max(1, min(n, rows_at_once(self.model)))
        found = over_rows(decoded, rows, condition, at_once)
        return self.preprocessor.inverse(found.reshape(n, *event))
