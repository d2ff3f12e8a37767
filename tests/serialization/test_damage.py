"""Our own errors keep their words when a model file is read."""

from pathlib import Path

import pandas as pd
import pytest

from reparam import VAE, FormatError, Training
from reparam.data.codecs import table
from reparam.errors import DataError


def test_an_error_of_ours_is_not_called_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frame = pd.DataFrame({"a": [1.5, 2.5, 3.5], "b": [0.5, 0.25, 1.0]})
    VAE(1, training=Training(epochs=1), random_state=0).fit(frame).save(tmp_path / "m.safetensors")

    def refuse(self: object, columns: object, library: str) -> None:
        raise DataError("this model was fitted on polars frames: pip install polars")

    monkeypatch.setattr(table.TableCodec, "__init__", refuse)
    with pytest.raises(FormatError, match="fitted on polars frames: pip install polars") as caught:
        VAE.load(tmp_path / "m.safetensors")
    assert "damaged" not in str(caught.value)
