"""What a notebook shows of an estimator."""

from typing import TYPE_CHECKING

from ..html_table import html_table

if TYPE_CHECKING:
    from .vae import VAE


def html_of(vae: "VAE") -> str:
    """A table of the parts of a fitted model and of its training; of an unfitted one, of its arguments."""
    if not hasattr(vae, "model_"):
        given = {name: value for name, value in vae.get_params(deep=False).items() if value is not None}
        return html_table("VAE, not fitted", {name: repr(value) for name, value in given.items() if value})
    config, head = vae.config_.model, type(vae.labels_).__name__
    n = sum(parameter.numel() for parameter in vae.model_.parameters())
    rows = {
        "a row of X": sized(vae.event_) + (" time steps" if vae.window_ else ""),
        "code": ", ".join(map(sized, config.latent_shapes)) or "none",
        "prior": repr(vae.prior_),
        "posterior": repr(vae.posterior_),
        "likelihood": repr(vae.likelihood_),
        "labels": head if vae.labels_.to_decoder or vae.labels_.has_classifier else None,
        "encoder": repr(vae.encoder_),
        "parameters": f"{n:,}",
    }
    if vae.history_:
        last = vae.history_[-1]
        bound = "" if last.get("bound") is None else f", bound {last['bound']:.2f} nats"
        rows["training"] = f"{last['epoch']} epochs{bound}"
    return html_table("VAE", {name: value for name, value in rows.items() if value is not None})


def sized(shape: tuple[int, ...]) -> str:
    """A shape in words: 8 by 8."""
    return " by ".join(map(str, shape))
