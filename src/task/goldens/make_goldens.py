"""Writes goldens.json: losses with their gradients by PyTorch, scores by scikit-learn, small and seeded.

Run with PyTorch 2 on the CPU and scikit-learn 1: python make_goldens.py
"""

import json
import pathlib

import numpy
import sklearn
import torch
from sklearn import metrics

torch.manual_seed(11)
random = numpy.random.default_rng(11)


def loss_case(name, output, loss, **facts):
    """The loss of `output` and its gradient."""
    loss.backward()
    return {
        "name": name,
        "outputs": output.detach().tolist(),
        "loss": loss.item(),
        "gradient": output.grad.tolist(),
        **facts,
    }


def classes():
    labels = [0, 2, 1, 1, 0, 2, 2, 2]
    # scikit-learn's balanced weights of exactly these labels.
    counts = numpy.bincount(labels)
    weights = torch.tensor(len(labels) / (len(counts) * counts), dtype=torch.float32)
    for smoothing in (0.0, 0.1):
        for weight in (None, weights):
            output = (torch.randn(8, 3) * 2).requires_grad_()
            criterion = torch.nn.CrossEntropyLoss(weight=weight, label_smoothing=smoothing)
            loss = criterion(output, torch.tensor(labels))
            yield loss_case(
                "classify", output, loss, labels=labels, smoothing=smoothing, weighted=weight is not None
            )


def labels():
    truth = torch.tensor([[1, 0, 1], [0, 0, 0], [1, 1, 0], [1, 0, 0], [0, 0, 1], [1, 1, 1]], dtype=torch.float32)
    positives = (len(truth) - truth.sum(0)) / truth.sum(0)
    for smoothing in (0.0, 0.2):
        for weight in (None, positives):
            output = (torch.randn(6, 3) * 3).requires_grad_()
            wanted = truth * (1 - smoothing) + smoothing / 2
            loss = torch.nn.BCEWithLogitsLoss(pos_weight=weight)(output, wanted)
            sets = [[n for n, has in enumerate(row) if has] for row in truth.tolist()]
            yield loss_case(
                "multi-label", output, loss, sets=sets, smoothing=smoothing, weighted=weight is not None
            )


def numbers():
    truth = random.normal(size=(7, 2)) * [3.0, 500.0] + [10.0, -2000.0]
    scaled = torch.tensor((truth - truth.mean(0)) / truth.std(0), dtype=torch.float32)
    output = torch.randn(7, 2).requires_grad_()
    yield loss_case("regress", output, torch.nn.MSELoss()(output, scaled), numbers=truth.tolist())


def label_scores():
    truth = (random.random((40, 4)) < [0.5, 0.2, 0.1, 0.0]).astype(int)
    logits = (random.normal(size=(40, 4)) + 2.0 * truth - 1.0).astype(numpy.float32)
    given = (logits >= 0).astype(int)
    precision, recall, f1, support = metrics.precision_recall_fscore_support(truth, given, zero_division=0)
    return {
        "logits": logits.tolist(),
        "sets": [[n for n, has in enumerate(row) if has] for row in truth.tolist()],
        "micro_f1": metrics.f1_score(truth, given, average="micro", zero_division=0),
        "macro_f1": metrics.f1_score(truth, given, average="macro", zero_division=0),
        "exact_match": metrics.accuracy_score(truth, given),
        "hamming_loss": metrics.hamming_loss(truth, given),
        "precision": precision.tolist(),
        "recall": recall.tolist(),
        "f1": f1.tolist(),
        "support": support.tolist(),
    }


def number_scores():
    truth = random.normal(size=(30, 2)) * [3.0, 500.0] + [10.0, -2000.0]
    mean, std = truth.mean(0), truth.std(0)
    outputs = ((truth + random.normal(size=(30, 2)) * [2.0, 700.0] - mean) / std).astype(numpy.float32)
    predicted = outputs.astype(numpy.float64) * std + mean
    return {
        "outputs": outputs.tolist(),
        "numbers": truth.tolist(),
        "r2": metrics.r2_score(truth, predicted),
        "mae": metrics.mean_absolute_error(truth, predicted),
        "rmse": metrics.root_mean_squared_error(truth, predicted),
        "column_r2": metrics.r2_score(truth, predicted, multioutput="raw_values").tolist(),
        "column_mae": metrics.mean_absolute_error(truth, predicted, multioutput="raw_values").tolist(),
    }


goldens = {
    "versions": {"torch": torch.__version__.split("+")[0], "scikit-learn": sklearn.__version__},
    "losses": [*classes(), *labels(), *numbers()],
    "label_scores": label_scores(),
    "number_scores": number_scores(),
}
path = pathlib.Path(__file__).with_name("goldens.json")
path.write_text(json.dumps(goldens, indent=1) + "\n")
