"""The public names, and where each lives."""

from .data.load import (
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
from .estimator.anomaly_detector import (
    AnomalyDetector as AnomalyDetector,
)
from .estimator.build import (
    build as build,
)
from .estimator.vae import (
    VAE as VAE,
)
from .evaluation.anomaly import (
    Detection as Detection,
    detection as detection,
)
from .evaluation.evaluate import (
    Evaluation as Evaluation,
)
from .families.base import (
    Family as Family,
)
from .families.code_priors import (
    AutoregressiveCodes as AutoregressiveCodes,
    CodePrior as CodePrior,
)
from .families.columns import (
    Columns as Columns,
)
from .families.continuous import (
    Beta as Beta,
    ContinuousBernoulli as ContinuousBernoulli,
    Gaussian as Gaussian,
    Laplace as Laplace,
    LogNormal as LogNormal,
    Point as Point,
    StandardNormal as StandardNormal,
    StudentT as StudentT,
)
from .families.counts import (
    NegativeBinomial as NegativeBinomial,
    Poisson as Poisson,
    ZeroInflated as ZeroInflated,
)
from .families.discrete import (
    Bernoulli as Bernoulli,
    Categorical as Categorical,
    DiscretizedLogistic as DiscretizedLogistic,
)
from .families.flows import (
    IAF as IAF,
    MAF as MAF,
    Flow as Flow,
    Planar as Planar,
    Spline as Spline,
)
from .families.mixtures import (
    Mixture as Mixture,
)
from .families.multivariate import (
    FullGaussian as FullGaussian,
    LowRankGaussian as LowRankGaussian,
)
from .families.ordinal import (
    OrderedLogistic as OrderedLogistic,
)
from .families.quantile import (
    Quantile as Quantile,
)
from .families.quantizers import (
    FSQ as FSQ,
    VQ as VQ,
    GumbelSigmoid as GumbelSigmoid,
    GumbelSoftmax as GumbelSoftmax,
)
from .families.sources import (
    Fixed as Fixed,
    Identity as Identity,
    Local as Local,
    LogScale as LogScale,
    LogVariance as LogVariance,
    Share as Share,
    Shared as Shared,
    Sigmoid as Sigmoid,
    Softplus as Softplus,
    Square as Square,
)
from .families.spherical import (
    PowerSpherical as PowerSpherical,
    Sphere as Sphere,
)
from .model.covariates import (
    Category as Category,
    Number as Number,
)
from .model.labels import (
    Auxiliary as Auxiliary,
    Covariates as Covariates,
    Enumerated as Enumerated,
    Given as Given,
    NoLabels as NoLabels,
)
from .model.priors import (
    VampPrior as VampPrior,
)
from .nn.networks import (
    MLP as MLP,
    Conv as Conv,
    Network as Network,
)
from .nn.residual import (
    ResMLP as ResMLP,
    ResNet as ResNet,
)
from .nn.wrap import (
    Wrap as Wrap,
)
from .objectives.adversarial import (
    FactorTC as FactorTC,
    LatentCritic as LatentCritic,
)
from .objectives.base import (
    Term as Term,
)
from .objectives.bounds import (
    CIWAE as CIWAE,
    ELBO as ELBO,
    IWAE as IWAE,
    MIWAE as MIWAE,
    PIWAE as PIWAE,
    Renyi as Renyi,
)
from .objectives.consistency import (
    Consistency as Consistency,
    MutualInformation as MutualInformation,
)
from .objectives.penalties import (
    L2 as L2,
    MMD as MMD,
    Commitment as Commitment,
    CrossEntropy as CrossEntropy,
    Decorrelation as Decorrelation,
    GradientPenalty as GradientPenalty,
    LatentNorm as LatentNorm,
    PriorShare as PriorShare,
    TotalCorrelation as TotalCorrelation,
)
from .objectives.sparsity import (
    Sparsity as Sparsity,
)
from .specs.schedules import (
    Cosine as Cosine,
    Cyclic as Cyclic,
    Linear as Linear,
)
from .specs.spec import (
    Spec as Spec,
)
from .training.config import (
    Adam as Adam,
    Decay as Decay,
    Masks as Masks,
    RMSprop as RMSprop,
    Training as Training,
)
from .training.trainer import (
    Progress as Progress,
)

__version__: str
