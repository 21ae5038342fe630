"""Features of questions in, weights out: what `eval.fit` fits them with.

Rankers are linear, with a listwise softmax loss (Cao et al. 2007, ListNet); what tells yes from no
is a logistic regression, or for the refusal a network of one hidden layer.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from rag import confidence as refusal

Array = npt.NDArray[np.float64]
Group = tuple[Array, npt.NDArray[np.bool_]]  # features (n, f) and relevance (n,) of one question

ANSWERABLE_WEIGHT = 1.6  # of an answerable question: it must not be refused
N_NETWORKS, N_HIDDEN, EPOCHS = 5, 16, 60  # of what tells whether the documents answer


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
    """Train what `rag.confidence` computes: several small networks side by side, averaged.

    Parameters
    ----------
    rows, labels, weights
        Features `(n, f)`, 1 for answerable `(n,)` and what each question counts `(n,)`.
    """
    mean, scale = rows.mean(axis=0), rows.std(axis=0) + 1e-6
    seen = torch.tensor((rows - mean) / scale, dtype=torch.float32)
    seen = seen.clamp(-refusal.LIMIT, refusal.LIMIT)
    wanted = torch.tensor(labels, dtype=torch.float32)
    weights = weights * np.where(labels > 0, ANSWERABLE_WEIGHT, 1.0)
    counts = torch.tensor(weights / weights.mean(), dtype=torch.float32)
    networks = [_trained(seen, wanted, counts, seed) for seed in range(N_NETWORKS)]
    joined = {
        "hidden.weight": torch.cat([hidden.weight for hidden, _ in networks]),
        "hidden.bias": torch.cat([hidden.bias for hidden, _ in networks]),
        "out.weight": torch.cat([out.weight[0] for _, out in networks]) / N_NETWORKS,
        "out.bias": torch.stack([out.bias for _, out in networks]).mean(dim=0),
    }
    found = {name: value.detach().numpy() for name, value in joined.items()}
    return {"mean": mean.astype(np.float32), "scale": scale.astype(np.float32), **found}


def _trained(
    seen: Tensor, wanted: Tensor, counts: Tensor, seed: int
) -> tuple[nn.Linear, nn.Linear]:
    torch.manual_seed(seed)
    hidden, out = nn.Linear(seen.shape[1], N_HIDDEN), nn.Linear(N_HIDDEN, 1)
    network = nn.Sequential(hidden, nn.Tanh(), nn.Dropout(0.1), out)
    optimizer = torch.optim.AdamW(network.parameters(), lr=5e-3, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, EPOCHS)
    for _ in range(EPOCHS):
        for some in torch.split(torch.randperm(len(seen)), 256):
            loss = nn.functional.binary_cross_entropy_with_logits(
                network(seen[some])[:, 0], wanted[some], counts[some]
            )
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        schedule.step()
    return hidden, out
