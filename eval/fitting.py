"""Features of questions in, weights out: what `eval.fit` fits them with.

Rankers have a listwise softmax loss (Cao et al. 2007, ListNet), what tells yes from no a logistic
one. Each is linear or a network of one hidden layer.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from rag import choice, reread
from rag.network import LIMIT, Network

Array = npt.NDArray[np.float64]
Group = tuple[Array, npt.NDArray[np.bool_]]  # features (n, f) and relevance (n,) of one question
Choice = tuple[Array, npt.NDArray[np.bool_], Array]  # and what the question asks for


@dataclass(frozen=True, slots=True)
class Passages:
    """The passages of one question, with their sentences; see `rag.reread.best_rows`."""

    question: str
    own: Array  # (n, f)
    rows: Array  # (m, g), of the sentences
    owners: npt.NDArray[np.int64]  # (m,), the indices of the passages that they are of
    relevant: npt.NDArray[np.bool_]  # (n,)
    asked: Array  # what the question asks for


ANSWERABLE_WEIGHT = 1.6  # of an answerable question: it must not be refused
N_NETWORKS = 5  # that are averaged
N_ROUNDS = 3  # of fitting weights and choosing the sentences that count by them
NEVER = -1e4  # the score of what stands for no candidate


@dataclass(frozen=True, slots=True)
class Shape:
    """Of a network of one hidden layer, and how it is trained."""

    n_hidden: int
    epochs: int
    batch: int
    dropout: float
    rate: float
    decay: float


REFUSAL = Shape(n_hidden=16, epochs=60, batch=256, dropout=0.1, rate=5e-3, decay=1e-3)
REREAD = Shape(n_hidden=16, epochs=20, batch=32, dropout=0.3, rate=3e-3, decay=0.1)
CHOICE = Shape(n_hidden=32, epochs=30, batch=32, dropout=0.3, rate=3e-3, decay=0.1)


def fit_listwise(sets: Sequence[Sequence[Group]], prior: Array, l2: float) -> Array:
    """Weights that rank relevant rows first; every set counts the same, whatever its size.

    Parameters
    ----------
    sets
        Groups `(features, relevance)`, one for each question.
    prior
        Weights `(f,)` that the penalty pulls to.
    """
    from scipy.optimize import minimize

    usable = [[g for g in groups if g[1].any() and not g[1].all()] for groups in sets]

    def loss(weights: Array) -> tuple[float, Array]:
        total = l2 * float(np.sum((weights - prior) ** 2))
        gradient = 2 * l2 * (weights - prior)
        for groups in usable:
            for rows, relevant in groups:
                z = rows @ weights
                p = np.exp(z - z.max())
                p /= p.sum()
                good = p * relevant
                share = good.sum() + 1e-12
                total -= float(np.log(share)) / len(groups)
                gradient += (p - good / share) @ rows / len(groups)
        return total, gradient

    return np.asarray(minimize(loss, prior.copy(), jac=True, method="L-BFGS-B").x)


def fit_reread(
    sets: Sequence[Sequence[Passages]], prior: Array, l2: float
) -> tuple[Array, dict[str, Array], list[Array]]:
    """Train what `rag.reread` computes; every set counts the same.

    The sentence that counts is the best by the weights of the round before.

    Returns
    -------
    Weights `(f + g,)`, the network that puts scores right, and these scores for each question.
    """
    every = [one for passages in sets for one in passages]
    spread = np.concatenate([one.own for one in every]).std(axis=0)
    spread = np.append(spread, np.concatenate([one.rows for one in every]).std(axis=0)) + 1e-6

    def shown(weights: Array) -> list[list[Choice]]:
        return [
            [
                (reread.best_rows(p.own, p.rows, p.owners, weights), p.relevant, p.asked)
                for p in passages
            ]
            for passages in sets
        ]

    weights = prior
    for _ in range(N_ROUNDS):
        plain = [[(row / spread, right) for row, right, _ in one] for one in shown(weights)]
        weights = fit_listwise(plain, prior * spread, l2) / spread
    found = shown(weights)
    counts = [1 / len(passages) for passages in sets for _ in passages]
    groups = [group for one in found for group in one]
    network = fit_choice(groups, np.array(counts), weights, REREAD)
    put_right = Network(**{name: rows.astype(float) for name, rows in network.items()})
    scores = [choice.put_right(put_right, asked, row, row @ weights) for row, _, asked in groups]
    return weights, network, scores


def fit_logistic(
    rows: Array, labels: Array, weights: Array, l2: float, *, signed: bool = False
) -> tuple[Array, float]:
    """Logistic regression: weights `(f,)`, not negative unless signed, and a bias."""
    from scipy.optimize import minimize

    def loss(x: Array) -> tuple[float, Array]:
        z = rows @ x[:-1] + x[-1]
        p = 1 / (1 + np.exp(-z))
        likelihood = np.logaddexp(0, z) - labels * z
        pull = weights * (p - labels) / weights.sum()
        total = float(likelihood @ weights / weights.sum() + l2 * x[:-1] @ x[:-1])
        return total, np.append(pull @ rows + 2 * l2 * x[:-1], pull.sum())

    least = None if signed else 0.0
    bounds = [(least, None)] * rows.shape[1] + [(None, None)]
    start = np.append(np.ones(rows.shape[1]), 0.0)
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds).x
    return np.asarray(found[:-1]), float(found[-1])


def fit_network(rows: Array, labels: Array, weights: Array) -> dict[str, Array]:
    """Train what `rag.confidence` computes: whether the documents answer.

    Parameters
    ----------
    rows, labels, weights
        Features `(n, f)`, 1 for answerable `(n,)` and what each question counts `(n,)`.
    """
    mean, scale = rows.mean(axis=0), rows.std(axis=0) + 1e-6
    seen = _seen(rows, mean, scale)
    wanted = torch.tensor(labels, dtype=torch.float32)
    weights = weights * np.where(labels > 0, ANSWERABLE_WEIGHT, 1.0)
    counts = torch.tensor(weights / weights.mean(), dtype=torch.float32)

    def loss(network: nn.Module, some: Tensor) -> Tensor:
        return nn.functional.binary_cross_entropy_with_logits(
            network(seen[some])[:, 0], wanted[some], counts[some]
        )

    return _joined(REFUSAL, len(rows), loss, mean, scale)


def fit_choice(
    groups: Sequence[Choice], weights: Array, first: Array, shape: Shape = CHOICE
) -> dict[str, Array]:
    """Train what `rag.choice` computes: by how much the scores of candidates are put right.

    Parameters
    ----------
    groups
        One for each question.
    weights
        What each question counts `(n,)`.
    first
        Weights `(f,)` of the linear model, whose scores are put right.
    """
    shown, counts = [], []
    for (rows, relevant, asked), weight in zip(groups, weights, strict=True):
        alone = rows @ first
        best = choice.judged(alone)
        if relevant[best].any() and not relevant[best].all():
            row = choice.among_others(asked, rows[best])
            shown.append((row, alone[best], relevant[best]))
            counts.append(weight)
    every = np.concatenate([row for row, _, _ in shown])
    mean, scale = every.mean(axis=0), every.std(axis=0) + 1e-6
    seen = torch.zeros(len(shown), choice.N_JUDGED, len(mean))
    scores = torch.full((len(shown), choice.N_JUDGED), NEVER)
    right = torch.zeros(len(shown), choice.N_JUDGED, dtype=torch.bool)
    for i, (row, score, relevant) in enumerate(shown):
        seen[i, : len(row)] = _seen(row, mean, scale)
        scores[i, : len(row)] = torch.tensor(score, dtype=torch.float32)
        right[i, : len(row)] = torch.tensor(relevant)
    count = torch.tensor(np.array(counts) / np.mean(counts), dtype=torch.float32)

    def loss(network: nn.Module, some: Tensor) -> Tensor:
        z = scores[some] + network(seen[some])[..., 0]
        z = torch.where(scores[some] > NEVER, z, NEVER)
        good = torch.where(right[some], z, NEVER)
        return (count[some] * (z.logsumexp(dim=1) - good.logsumexp(dim=1))).mean()

    return _joined(shape, len(shown), loss, mean, scale)


def _seen(rows: Array, mean: Array, scale: Array) -> Tensor:
    return torch.tensor((rows - mean) / scale, dtype=torch.float32).clamp(-LIMIT, LIMIT)


def _joined(
    shape: Shape, n: int, loss: Callable[[nn.Module, Tensor], Tensor], mean: Array, scale: Array
) -> dict[str, Array]:
    """Several networks, trained to make `loss` of the examples' numbers small, as one."""
    networks = [_trained(shape, n, len(mean), loss, seed) for seed in range(N_NETWORKS)]
    joined = {
        "hidden_weight": torch.cat([hidden.weight for hidden, _ in networks]),
        "hidden_bias": torch.cat([hidden.bias for hidden, _ in networks]),
        "out_weight": torch.cat([out.weight[0] for _, out in networks]) / N_NETWORKS,
        "out_bias": torch.stack([out.bias for _, out in networks]).mean(dim=0),
    }
    found = {name: value.detach().numpy() for name, value in joined.items()}
    return {"mean": mean.astype(np.float32), "scale": scale.astype(np.float32), **found}


def _trained(
    shape: Shape,
    n: int,
    n_features: int,
    loss: Callable[[nn.Module, Tensor], Tensor],
    seed: int,
) -> tuple[nn.Linear, nn.Linear]:
    torch.manual_seed(seed)
    hidden, out = nn.Linear(n_features, shape.n_hidden), nn.Linear(shape.n_hidden, 1)
    network = nn.Sequential(hidden, nn.Tanh(), nn.Dropout(shape.dropout), out)
    optimizer = torch.optim.AdamW(network.parameters(), lr=shape.rate, weight_decay=shape.decay)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, shape.epochs)
    for _ in range(shape.epochs):
        for some in torch.split(torch.randperm(n), shape.batch):
            optimizer.zero_grad()
            loss(network, some).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        schedule.step()
    return hidden, out
