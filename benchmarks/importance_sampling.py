"""The importance-weighted log-likelihood in float64 of a Gaussian q and a Bernoulli p, the same for every
library. It asks for nothing but `encode` and `decode`, and imports torch alone."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

Encode = Callable[[Tensor], tuple[Tensor, Tensor]]
"""x (n, 784) -> mean and scale of q(z|x), (n, L) each."""
Decode = Callable[[Tensor], Tensor]
"""z (m, L) -> the probability (m, 784) that a pixel is on."""

ROWS = 10


@torch.no_grad()
def negative_log_likelihood(
    x: Tensor, encode: Encode, decode: Decode, k: int = 500, seed: int = 0
) -> dict[str, float]:
    """-mean log 1/k sum_s p(x|z_s) p(z_s) / q(z_s|x) of x (n, 784) in {0, 1}, nats; and its standard error.

    Burda et al. (2016), equation 8, with p(z) = N(0, 1). Every library gets the same noise.
    """
    noise = torch.Generator().manual_seed(seed)
    found = []
    for rows in x.double().split(ROWS):
        mean, scale = encode(rows)
        unit = torch.randn((k, *mean.shape), generator=noise, dtype=torch.float64)
        z = mean + scale * unit
        on = decode(z.flatten(0, 1)).reshape(k, *rows.shape)
        log_px = torch.where(rows > 0.5, on, 1 - on).log().sum(-1)
        log_ratio = (0.5 * (unit.square() - z.square()) + scale.log()).sum(-1)
        found.append((log_px + log_ratio).logsumexp(0) - math.log(k))
    each = -torch.cat(found)
    return {"mean": float(each.mean()), "se": float(each.std() / math.sqrt(len(each)))}
