"""The public names, and where each lives."""

from .anomaly import (
    Detection as Detection,
    detection as detection,
)
from .data.sources import (
    Dataset as Dataset,
    load as load,
    stream as stream,
)
from .data.stream import (
    Stream as Stream,
)
from .errors import (
    DataError as DataError,
    DivergedError as DivergedError,
    FormatError as FormatError,
    ReparamError as ReparamError,
    SpecError as SpecError,
)
from .estimator import (
    VAE as VAE,
)
from .evaluate import (
    Evaluation as Evaluation,
)
from .families import (
    FSQ as FSQ,
    IAF as IAF,
    MAF as MAF,
    VQ as VQ,
    AutoregressiveCodes as AutoregressiveCodes,
    Bernoulli as Bernoulli,
    Beta as Beta,
    Categorical as Categorical,
    CodePrior as CodePrior,
    Columns as Columns,
    ContinuousBernoulli as ContinuousBernoulli,
    DiscretizedLogistic as DiscretizedLogistic,
    Family as Family,
    Fixed as Fixed,
    Flow as Flow,
    FullGaussian as FullGaussian,
    Gaussian as Gaussian,
    GumbelSigmoid as GumbelSigmoid,
    GumbelSoftmax as GumbelSoftmax,
    Identity as Identity,
    Laplace as Laplace,
    Local as Local,
    LogNormal as LogNormal,
    LogScale as LogScale,
    LogVariance as LogVariance,
    LowRankGaussian as LowRankGaussian,
    Mixture as Mixture,
    NegativeBinomial as NegativeBinomial,
    Planar as Planar,
    Point as Point,
    Poisson as Poisson,
    PowerSpherical as PowerSpherical,
    Share as Share,
    Shared as Shared,
    Sigmoid as Sigmoid,
    Softplus as Softplus,
    Sphere as Sphere,
    Spline as Spline,
    Square as Square,
    StandardNormal as StandardNormal,
    StudentT as StudentT,
    ZeroInflated as ZeroInflated,
)
from .labels import (
    Auxiliary as Auxiliary,
    Enumerated as Enumerated,
    Given as Given,
)
from .networks import (
    MLP as MLP,
    Conv as Conv,
    Network as Network,
)
from .objective import (
    CIWAE as CIWAE,
    ELBO as ELBO,
    IWAE as IWAE,
    MIWAE as MIWAE,
    PIWAE as PIWAE,
    Renyi as Renyi,
    Term as Term,
)
from .penalties import (
    L2 as L2,
    MMD as MMD,
    Commitment as Commitment,
    CrossEntropy as CrossEntropy,
    Decorrelation as Decorrelation,
    FactorTC as FactorTC,
    GradientPenalty as GradientPenalty,
    LatentCritic as LatentCritic,
    LatentNorm as LatentNorm,
    PriorShare as PriorShare,
    TotalCorrelation as TotalCorrelation,
)
from .priors import (
    VampPrior as VampPrior,
)
from .schedule import (
    Cosine as Cosine,
    Cyclic as Cyclic,
    Linear as Linear,
)
from .spec import (
    Spec as Spec,
)
from .train import (
    Progress as Progress,
)
from .training import (
    Adam as Adam,
    Decay as Decay,
    RMSprop as RMSprop,
    Training as Training,
)
