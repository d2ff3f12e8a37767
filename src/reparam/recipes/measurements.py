"""Models of other data than digits: whole pixels, tables, series, counts of genes."""

from dataclasses import replace
from typing import Any

from ..families import DiscretizedLogistic, Gaussian, Local, NegativeBinomial, Share, StudentT, ZeroInflated
from ..model.covariates import Category
from ..model.labels import Covariates
from ..nn.networks import MLP, Conv
from ..objectives import ELBO, IWAE, L2, PriorShare
from ..training.config import Decay
from .base import ABOVE, PLAIN, Recipe, low, variant

SINGLE_CELLS: dict[str, Any] = {
    "encoder": MLP((128,)),
    "likelihood": ZeroInflated(NegativeBinomial(mean=Local(Share()))),
    "training": replace(PLAIN, epochs=400, batch_size=128),
}
TABLE: dict[str, Any] = {"encoder": MLP((128, 128)), "likelihood": None, "objective": IWAE(5)}

MEASUREMENTS: dict[str, Recipe] = {
    "pixel-vae": variant(
        "salimans2017pixelcnn",
        "bits per dimension that can be compared",
        data="images of whole numbers 0 to 255",
        latent_dim=64,
        encoder=Conv(),
        likelihood=DiscretizedLogistic(components=3),
    ),
    "missing-iwae": low(
        "mattei2019miwae",
        "better imputations than regression's",
        data="a table of real numbers with missing cells",
        encoder=MLP((128, 128), "tanh"),
        likelihood=StudentT(scale=Local()),
        objective=IWAE(20),
    ),
    # The article uses L2 on hidden layers only and gives the encoder no mask of missing points; here L2 is
    # on all matrices, and the encoder reads a mask.
    "donut": variant(
        "xu2018donut",
        "anomalies of a seasonal time series: best F1 with segments adjusted 0.69 to 0.98",
        data="a .csv with the columns timestamp and value",
        latent_dim=3,
        window=120,
        encoder=MLP((100, 100)),
        posterior=Gaussian(scale=ABOVE),
        likelihood=Gaussian(scale=ABOVE),
        objective=(ELBO(), PriorShare(), L2(1e-3)),
        training=replace(PLAIN, epochs=250, batch_size=256, decay=Decay(0.75, 10), clip=10.0, missing=0.01),
    ),
    # The article also models the total; here, as in later versions of its software, it is the observed one.
    "scvi": low(
        "lopez2018deep",
        "cell types separated in the latent space",
        about="counts of genes: zero-inflated negative binomial, given the cell's total",
        data="a sparse matrix of counts, .npz or .h5ad",
        **SINGLE_CELLS,
    ),
    "scvi-batch": low(
        "lopez2018deep",
        "cell types separated in the latent space, batches mixed",
        about="scvi with batch correction: encoder and decoder see a cell's batch, the code need not hold it",
        data="counts and the batch of each cell: an .h5ad with obs['batch'], or y in Python",
        labels=Covariates((Category("batch"),)),
        **SINGLE_CELLS,
    ),
    "mixed-table": low(
        "nazabal2020handling",
        "samples, scores and imputations",
        about="a likelihood for each column, missing cells left out",
        data="a table",
        **TABLE,
    ),
    # The article's prior p(z | y) is a network; here p(z) does not depend on y.
    "conditional-table": low(
        "sohn2015learning",
        "samples, scores and imputations of rows with given covariates",
        about="mixed-table given some of its columns: p(x | age, sex)",
        data="a table; --given-columns names the covariates",
        labels=Covariates(),
        **TABLE,
    ),
}
