"""pythae's VAE on static MNIST, an epoch at a time: `python -m benchmarks.peers.static_mnist DATA`.

`quality/against_time.py` starts it where reparam is not installed. It talks by lines: `epoch` trains one,
`evaluate` answers the test negative log-likelihood, each answer one line of JSON. DATA is an .npz of `train`
and `test`, (n, 784).
"""

import contextlib
import copy
import json
import logging
import sys
import tempfile

import numpy as np
import torch

from ..importance_sampling import negative_log_likelihood


def main() -> None:
    from pythae.data.datasets import BaseDataset
    from pythae.models import VAE, VAEConfig
    from pythae.trainers import BaseTrainer, BaseTrainerConfig

    logging.disable()
    arrays = {name: torch.as_tensor(x) for name, x in np.load(sys.argv[1]).items()}
    torch.manual_seed(0)
    model = VAE(VAEConfig(input_dim=(784,), latent_dim=50, reconstruction_loss="bce"))
    with tempfile.TemporaryDirectory() as folder:
        settings = BaseTrainerConfig(
            output_dir=folder,
            num_epochs=10**6,
            learning_rate=1e-3,
            per_device_train_batch_size=128,
            no_cuda=True,
        )
        rows = BaseDataset(arrays["train"], torch.zeros(len(arrays["train"])))
        trainer = BaseTrainer(model, train_dataset=rows, training_config=settings)
        trainer.prepare_training()
        for epoch, line in enumerate(sys.stdin, 1):
            with contextlib.redirect_stdout(sys.stderr):
                answer = evaluated(model, arrays["test"]) if line.strip() == "evaluate" else None
                if answer is None:
                    trainer.train_step(epoch)
            print(json.dumps(answer), flush=True)


def evaluated(model: torch.nn.Module, test: torch.Tensor) -> dict[str, float]:
    model = copy.deepcopy(model).double().eval()

    def encode(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        q = model.encoder(x)
        return q.embedding, (0.5 * q.log_covariance).exp()

    return negative_log_likelihood(test, encode, lambda z: model.decoder(z).reconstruction)


if __name__ == "__main__":
    main()
