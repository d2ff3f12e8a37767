"""A peer in its own environment: `python -m benchmarks.peers.training PEER NET STEPS`.

Its own loop trains the net. Before each epoch it waits for a line on stdin, after it the epoch's seconds go
to stdout; when stdin ends, so does it. With `pythae likelihood IMAGES K` a turn takes the importance-weighted
likelihood of so many images. `environment.py` starts it; nothing of reparam is imported here.
"""

import json
import os
import sys
import tempfile
import time
from typing import Any

import torch
from torch import Tensor, nn

from ..torch_nets import PLAIN, Plain, burda


class Clock:
    """Waits before a turn and tells its seconds after it. What else is printed goes to stderr."""

    def __init__(self) -> None:
        self.out = os.fdopen(os.dup(1), "w")
        os.dup2(2, 1)
        self.began = 0.0

    def start(self, *_: Any, **__: Any) -> None:
        if not sys.stdin.readline():
            raise SystemExit
        self.began = time.perf_counter()

    def stop(self, *_: Any, **__: Any) -> None:
        self.tell(time.perf_counter() - self.began)

    def tell(self, what: float | str) -> None:
        print(json.dumps(what), file=self.out, flush=True)


def wrapped(net: nn.Module, latent: int, loss: str) -> Any:
    """A net of ours as pythae's VAE."""
    from pythae.models import VAE, VAEConfig
    from pythae.models.base.base_utils import ModelOutput
    from pythae.models.nn import BaseDecoder, BaseEncoder

    class Encoder(BaseEncoder):
        def __init__(self) -> None:
            super().__init__()
            self.net = net.encoder

        def forward(self, x: Tensor) -> ModelOutput:
            mu, log_var = self.net(x).chunk(2, -1)
            return ModelOutput(embedding=mu, log_covariance=log_var)

    class Decoder(BaseDecoder):
        def __init__(self) -> None:
            super().__init__()
            self.net = net.decoder

        def forward(self, z: Tensor) -> ModelOutput:
            return ModelOutput(reconstruction=self.net(z).sigmoid())

    config = VAEConfig(input_dim=(784,), latent_dim=latent, reconstruction_loss=loss)
    return VAE(config, encoder=Encoder(), decoder=Decoder())


def pythae(name: str, net: Plain, x: Tensor, y: Tensor, clock: Clock) -> None:
    from pythae.data.datasets import BaseDataset
    from pythae.trainers import BaseTrainer, BaseTrainerConfig
    from pythae.trainers.training_callbacks import TrainingCallback

    class Watch(TrainingCallback):
        on_epoch_begin, on_epoch_end = clock.start, clock.stop

    with tempfile.TemporaryDirectory() as folder:
        config = BaseTrainerConfig(
            output_dir=folder,
            num_epochs=10**6,
            per_device_train_batch_size=net.batch,
            learning_rate=1e-3,
            no_cuda=True,
        )
        model = wrapped(net.bare(), net.latent, "mse" if name == "zeldes" else "bce")
        BaseTrainer(model, BaseDataset(x, y), training_config=config, callbacks=[Watch()]).train()


def pyod(name: str, net: Plain, x: Tensor, y: Tensor, clock: Clock) -> None:
    """Its only loss is a mean of squared errors; the KL counts only up to `capacity`."""
    from pyod.models.vae import VAE

    class Watched(VAE):
        def train(self, loader: Any) -> None:
            clock.start()
            super().train(loader)

        def epoch_update(self) -> None:
            clock.stop()
            clock.start()

    Watched(
        epoch_num=10**6,
        batch_size=net.batch,
        preprocessing=False,
        optimizer_params={},
        capacity=1e9,
        encoder_neuron_list=list(net.hidden),
        decoder_neuron_list=list(net.hidden[::-1]),
        latent_dim=net.latent,
        hidden_activation_name=net.activation,
        output_activation_name="sigmoid",
        dropout_rate=0.0,
        verbose=0,
    ).fit(x.numpy())


def keras(name: str, net: Plain, x: Tensor, y: Tensor, clock: Clock) -> None:
    import keras as k
    from keras import layers, ops

    class Sampling(layers.Layer):  # type: ignore[misc]
        def call(self, mu: Any, log_var: Any) -> Any:
            self.add_loss(ops.mean(0.5 * ops.sum(ops.square(mu) + ops.exp(log_var) - log_var - 1, -1)))
            return mu + ops.exp(0.5 * log_var) * k.random.normal(ops.shape(mu))

    def dense(h: Any, widths: tuple[int, ...]) -> Any:
        for width in widths:
            h = layers.Dense(width, net.activation)(h)
        return h

    def cross_entropy(x: Any, logits: Any) -> Any:
        return 784 * k.losses.binary_crossentropy(x, logits, from_logits=True)

    def squared(x: Any, mean: Any) -> Any:
        return 2 * ops.sum(ops.square(x - mean), -1)

    h = image = layers.Input((784,))
    if not net.hidden:
        h = layers.Reshape((28, 28, 1))(h)
        for width in (32, 64):
            h = layers.Conv2D(width, 3, 2, "same", activation="relu")(h)
        h = layers.Flatten()(h)
    h = dense(h, net.hidden or (256,))
    z = Sampling()(layers.Dense(net.latent)(h), layers.Dense(net.latent)(h))
    losses, targets = [cross_entropy], [x.numpy()]
    outputs = []
    if name == "zeldes":
        outputs = [layers.Dense(10)(dense(image, net.hidden))]
        z = layers.Concatenate()([z, layers.Softmax()(outputs[0])])
        losses = [squared, k.losses.SparseCategoricalCrossentropy(from_logits=True)]
        targets.append(y.numpy())
    h = dense(z, net.hidden[::-1] or (256, 3136))
    if not net.hidden:
        h = layers.Conv2DTranspose(32, 3, 2, "same", activation="relu")(layers.Reshape((7, 7, 64))(h))
        outputs = [layers.Flatten()(layers.Conv2DTranspose(1, 3, 2, "same")(h))]
    else:
        outputs = [layers.Dense(784, "sigmoid" if name == "zeldes" else None)(h), *outputs]
    model = k.Model(image, outputs)
    model.compile(k.optimizers.Adam(1e-3), losses, loss_weights=[1, 10][: len(losses)])
    watch = k.callbacks.LambdaCallback(on_epoch_begin=clock.start, on_epoch_end=clock.stop)
    model.fit(x.numpy(), targets, net.batch, 10**6, verbose=0, callbacks=[watch])


@torch.no_grad()
def likelihood(images: int, k: int, clock: Clock) -> None:
    model = wrapped(burda(), 50, "bce").eval()
    x = torch.rand(images, 784).round()
    while True:
        clock.start()
        model.get_nll(x, n_samples=k)
        clock.stop()


def main() -> None:
    peer, name, *words = sys.argv[1:]
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    clock = Clock()
    try:
        if name == "likelihood":
            likelihood(*map(int, words), clock)
        x = torch.rand(PLAIN[name].batch * int(words[0]), 784)
        train = {"pythae": pythae, "pyod": pyod, "keras": keras}[peer]
        train(name, PLAIN[name], x, torch.arange(len(x)) % 10, clock)
    except Exception as error:
        clock.tell(f"{type(error).__name__}: {error}")
        raise


if __name__ == "__main__":
    main()
