"""The public names, and where each lives."""

from .anomaly import (
    Detection as Detection,
)
from .anomaly import (
    detection as detection,
)
from .errors import (
    DataError as DataError,
)
from .errors import (
    DivergedError as DivergedError,
)
from .errors import (
    FormatError as FormatError,
)
from .errors import (
    SpecError as SpecError,
)
from .errors import (
    TacitError as TacitError,
)
from .estimator import (
    VAE as VAE,
)
from .evaluate import (
    Evaluation as Evaluation,
)
from .families import (
    FSQ as FSQ,
)
from .families import (
    VQ as VQ,
)
from .families import (
    AutoregressiveCodes as AutoregressiveCodes,
)
from .families import (
    Bernoulli as Bernoulli,
)
from .families import (
    Beta as Beta,
)
from .families import (
    Categorical as Categorical,
)
from .families import (
    CodePrior as CodePrior,
)
from .families import (
    Columns as Columns,
)
from .families import (
    ContinuousBernoulli as ContinuousBernoulli,
)
from .families import (
    DiscretizedLogistic as DiscretizedLogistic,
)
from .families import (
    Family as Family,
)
from .families import (
    Fixed as Fixed,
)
from .families import (
    Gaussian as Gaussian,
)
from .families import (
    GumbelSigmoid as GumbelSigmoid,
)
from .families import (
    GumbelSoftmax as GumbelSoftmax,
)
from .families import (
    Identity as Identity,
)
from .families import (
    Laplace as Laplace,
)
from .families import (
    Local as Local,
)
from .families import (
    LogNormal as LogNormal,
)
from .families import (
    LogScale as LogScale,
)
from .families import (
    LogVariance as LogVariance,
)
from .families import (
    NegativeBinomial as NegativeBinomial,
)
from .families import (
    Point as Point,
)
from .families import (
    Poisson as Poisson,
)
from .families import (
    Share as Share,
)
from .families import (
    Shared as Shared,
)
from .families import (
    Sigmoid as Sigmoid,
)
from .families import (
    Softplus as Softplus,
)
from .families import (
    Square as Square,
)
from .families import (
    StandardNormal as StandardNormal,
)
from .families import (
    StudentT as StudentT,
)
from .families import (
    ZeroInflated as ZeroInflated,
)
from .labels import (
    Auxiliary as Auxiliary,
)
from .labels import (
    Enumerated as Enumerated,
)
from .labels import (
    Given as Given,
)
from .networks import (
    MLP as MLP,
)
from .networks import (
    Conv as Conv,
)
from .networks import (
    Network as Network,
)
from .objective import (
    CIWAE as CIWAE,
)
from .objective import (
    ELBO as ELBO,
)
from .objective import (
    IWAE as IWAE,
)
from .objective import (
    MIWAE as MIWAE,
)
from .objective import (
    PIWAE as PIWAE,
)
from .objective import (
    Renyi as Renyi,
)
from .objective import (
    Term as Term,
)
from .penalties import (
    L2 as L2,
)
from .penalties import (
    MMD as MMD,
)
from .penalties import (
    Commitment as Commitment,
)
from .penalties import (
    CrossEntropy as CrossEntropy,
)
from .penalties import (
    Decorrelation as Decorrelation,
)
from .penalties import (
    FactorTC as FactorTC,
)
from .penalties import (
    GradientPenalty as GradientPenalty,
)
from .penalties import (
    LatentCritic as LatentCritic,
)
from .penalties import (
    LatentNorm as LatentNorm,
)
from .penalties import (
    PriorShare as PriorShare,
)
from .penalties import (
    TotalCorrelation as TotalCorrelation,
)
from .priors import (
    VampPrior as VampPrior,
)
from .schedule import (
    Cosine as Cosine,
)
from .schedule import (
    Cyclic as Cyclic,
)
from .schedule import (
    Linear as Linear,
)
from .spec import (
    Spec as Spec,
)
from .train import (
    Adam as Adam,
)
from .train import (
    Decay as Decay,
)
from .train import (
    Progress as Progress,
)
from .train import (
    RMSprop as RMSprop,
)
from .train import (
    Training as Training,
)

__version__: str
