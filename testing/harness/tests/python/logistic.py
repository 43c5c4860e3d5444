"""Fits what `trend_up` is with scikit-learn and says what it predicts.

Reads {"rows": [[...]], "labels": [...]} from the file named first; writes the coefficients and probabilities to the
file named second.
"""

import json
import sys

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

with open(sys.argv[1]) as file:
    data = json.load(file)
rows, labels = np.array(data["rows"]), np.array(data["labels"])
model = make_pipeline(StandardScaler(), LogisticRegression()).fit(rows, labels)
scaler, regression = model[0], model[1]
with open(sys.argv[2], "w") as file:
    json.dump(
        {
            "mean": scaler.mean_.tolist(),
            "scale": scaler.scale_.tolist(),
            "weights": regression.coef_[0].tolist(),
            "intercept": regression.intercept_[0],
            "probabilities": model.predict_proba(rows)[:, 1].tolist(),
        },
        file,
    )
