"""Rows drawn by reparam against real ones: what a classifier learns from them, and whether one tells them."""

import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import cross_val_predict
from sklearn.preprocessing import OneHotEncoder

from .imputation import model


def synthesis(table: pd.DataFrame) -> None:
    """Classifiers of the last column that are trained on rows of each kind and judged on real ones, and one
    that tells the kinds apart."""
    target = table.columns[-1]
    rows = np.random.default_rng(0).permutation(len(table))
    test, train = table.iloc[rows[: len(rows) // 5]], table.iloc[rows[len(rows) // 5 :]]
    vae = model().fit(train)
    shuffled = pd.DataFrame(
        {n: np.random.default_rng(i).permutation(train[n].to_numpy()) for i, n in enumerate(train)}
    )
    kinds = {
        "real rows": train,
        "drawn by reparam": vae.sample(len(train), random_state=0),
        "columns shuffled": shuffled,
    }
    words = [n for n, c in table.items() if not pd.api.types.is_numeric_dtype(c)]
    print("| trained on | AUC on real rows | told from real rows, AUC |\n|---|---|---|")
    for name, kind in kinds.items():
        inputs = [n for n in words if n != target]
        numbers = [n for n in table if n not in words]
        code = make_column_transformer(
            (OneHotEncoder(handle_unknown="ignore", sparse_output=False), inputs), ("passthrough", numbers)
        )
        boosted = HistGradientBoostingClassifier(random_state=0)
        known = kind[kind[target].notna()]
        boosted.fit(code.fit_transform(known), known[target].astype(str))
        top = sorted(set(table[target].astype(str)))[-1]
        odds = boosted.predict_proba(code.transform(test))[:, list(boosted.classes_).index(top)]
        auc = roc_auc_score(test[target].astype(str) == top, odds)
        both = pd.concat([test, kind.sample(len(test), random_state=0)])
        coder = make_column_transformer(
            (OneHotEncoder(handle_unknown="ignore", sparse_output=False), words), ("passthrough", numbers)
        )
        said = np.r_[np.zeros(len(test)), np.ones(len(test))]
        guess = cross_val_predict(boosted, coder.fit_transform(both), said, cv=3, method="predict_proba")
        print(f"| {name} | {auc:.3f} | {roc_auc_score(said, guess[:, 1]):.3f} |", flush=True)
