"""An own loop in scikit-learn: an epoch is a pass of `partial_fit`. The configuration is a dataclass of one's own."""

from dataclasses import dataclass
from typing import Literal

from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler

from pernodedrop.client import Client


@dataclass
class Settings:
    hidden: int
    alpha: float
    solver: Literal["adam", "sgd"]


x, y = load_breast_cancer(return_X_y=True)
x, test_x, y, test_y = train_test_split(x, y, test_size=0.2, stratify=y, random_state=0)
train_x, val_x, train_y, val_y = train_test_split(x, y, test_size=0.25, stratify=y, random_state=0)
scaled = StandardScaler().fit(train_x)

for trial in Client().study("my-tumours").trials_to_train():
    settings = trial.config(Settings)
    model = MLPClassifier([settings.hidden], alpha=settings.alpha, solver=settings.solver, random_state=trial.seed)
    for _ in trial.epochs():
        for _ in range(5):
            model.partial_fit(scaled.transform(train_x), train_y, classes=[0, 1])
        metrics = {"val_accuracy": model.score(scaled.transform(val_x), val_y)}
        if trial.is_tested:
            metrics["test_accuracy"] = model.score(scaled.transform(test_x), test_y)
        trial.report(**metrics)
