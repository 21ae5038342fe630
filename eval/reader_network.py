"""The network that `rag.reader` computes, as torch trains it."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from rag.reader import EXACT, GAP, PADDING, SHARPNESS, STEP, WINDOW

NEVER = -1e4


@dataclass(frozen=True, slots=True)
class Batch:
    """Questions and sentences as numbers; a sentence's `owner` is its question."""

    query: Tensor  # (n_questions, n_words, dim)
    query_tags: Tensor
    query_mask: Tensor  # (…, 1)
    vectors: Tensor  # (n_sentences, width, dim)
    tags: Tensor
    mask: Tensor  # (…, 1)
    near: Tensor  # (n_sentences, n_words), to a word of the text around
    owner: Tensor  # (n_sentences,)
    features: Tensor
    relevant: Tensor
    marks: Tensor  # (n_sentences, WIDTH)

    def by_length(self, n: int) -> Iterator["Batch"]:
        """The sentences in `n` batches, the shortest first, none wider than its longest."""
        lengths = self.mask.sum((1, 2)).int()
        for rows in torch.argsort(lengths).chunk(n):
            width = int(lengths[rows].max())
            yield replace(
                self,
                vectors=self.vectors[rows, :width],
                tags=self.tags[rows, :width],
                mask=self.mask[rows, :width],
                near=self.near[rows],
                owner=self.owner[rows],
                features=self.features[rows],
                relevant=self.relevant[rows],
                marks=self.marks[rows],
            )


class Dropout(nn.Module):
    """As `nn.Dropout`, with random bytes of numpy, which come ten times as fast on a processor."""

    def __init__(self, share: float) -> None:
        super().__init__()
        self.least = round(256 * share)
        self.random = np.random.default_rng(torch.initial_seed())

    def forward(self, x: Tensor) -> Tensor:
        """Set some numbers to zero, and the others higher."""
        if not self.training:
            return x
        drawn = self.random.integers(0, 256, x.shape, np.uint8)
        return x * (torch.from_numpy(drawn) >= self.least) * (256 / (256 - self.least))


class ReaderNetwork(nn.Module):
    """What `rag.reader` computes; the parameters have the same names there."""

    def __init__(self, dim: int, projected: int = 64, hidden: int = 96, compared: int = 64) -> None:
        super().__init__()
        n_tag, n_matched = 8, 48
        self.proj = nn.Linear(dim, projected)
        self.tag = nn.Embedding(PADDING + 1, n_tag, padding_idx=PADDING)
        self.qconv = nn.Conv1d(projected + n_tag, hidden, 3, padding=1)
        self.sconv = nn.Conv1d(projected + n_tag, hidden, 3, padding=1)
        self.mq = nn.Linear(hidden + projected, n_matched)
        self.ms = nn.Linear(hidden + projected, n_matched)
        self.qatt = nn.Linear(hidden, 1, bias=False)
        self.catt = nn.Linear(hidden, 1, bias=False)
        self.cq = nn.Linear(hidden, compared)
        self.cf = nn.Linear(8, compared, bias=False)
        self.agg = nn.Linear(2 * compared, compared)
        self.c1 = nn.Conv1d(3 * projected + n_tag + 3, hidden, 2 * GAP + 1, padding=GAP)
        self.c2 = nn.Conv1d(hidden, hidden, 2 * GAP + 1, padding=GAP)
        self.c3 = nn.Conv1d(hidden, hidden, 2 * GAP + 1, padding=GAP)
        self.u = nn.Linear(hidden, 1)
        self.b = nn.Linear(hidden, hidden, bias=False)
        self.c = nn.Linear(compared, hidden, bias=False)
        self.v = nn.Linear(compared, 1, bias=False)
        self.drop = Dropout(0.2)

    def forward(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Logits `(n_sentences, width)` of the words to be of the answer, and sentences' scores."""
        query = torch.tanh(self.proj(self.drop(batch.query)))
        inputs = torch.cat([query, self.tag(batch.query_tags)], -1) * batch.query_mask
        asked = functional.relu(_along(self.qconv, inputs))
        pooled = (_attention(self.qatt, asked, batch.query_mask) * asked).sum(1)[batch.owner]
        own = torch.tanh(self.proj(self.drop(batch.vectors))) * batch.mask
        tags = self.tag(batch.tags) * batch.mask
        cosines = torch.einsum("slv,sqv->slq", batch.vectors, batch.query[batch.owner])
        cover = self._covered(batch, query, asked, torch.cat([own, tags], -1), own, cosines)
        unknown = batch.query_mask[batch.owner].transpose(1, 2) == 0
        nearest = cosines.masked_fill(unknown, NEVER).max(-1).values.clamp(0, 1)
        attention = (SHARPNESS * cosines).masked_fill(unknown, NEVER).softmax(-1)
        aligned = torch.einsum("slq,sqp->slp", attention, query[batch.owner])
        flags = torch.stack([nearest, (nearest > EXACT).float(), torch.ones_like(nearest)], -1)
        columns = [own, aligned, own * aligned, tags, flags]
        rows = functional.relu(_along(self.c1, self.drop(torch.cat(columns, -1) * batch.mask)))
        rows = rows * batch.mask
        for layer in (self.c2, self.c3):
            rows = functional.relu(_along(layer, self.drop(rows))) * batch.mask + rows
        words = self.u(rows)[..., 0] + torch.einsum("slh,sh->sl", rows, self.b(pooled))
        sought = self.c(self.drop(cover))
        logits = words[:, None] + torch.einsum("slh,swh->swl", rows, sought)
        logits = logits.masked_fill(~_inside(batch.mask, logits.shape[1]), NEVER)
        scores = torch.logsumexp(logits, -1) + self.v(self.drop(cover))[..., 0]
        scores = scores.masked_fill(~_windows(batch.mask, scores.shape[1]), NEVER)
        return logits.max(1).values, scores.max(1).values

    def _covered(
        self,
        batch: Batch,
        query: Tensor,
        asked: Tensor,
        rows: Tensor,
        own: Tensor,
        cosines: Tensor,
    ) -> Tensor:
        """What becomes of the question's words in every window: `(n_sentences, n_windows, …)`."""
        found = functional.relu(_along(self.sconv, rows))
        sought = functional.normalize(self.mq(torch.cat([asked, query], -1)), dim=-1)
        found = functional.normalize(self.ms(torch.cat([found, own], -1)), dim=-1)
        learnt = torch.einsum("slm,sqm->slq", found, sought[batch.owner])
        empty = batch.mask == 0
        near = [_highest(x.masked_fill(empty, -1.0)) for x in (cosines, learnt)]
        whole = [x.max(1, keepdim=True).values.expand_as(x) for x in near]
        near[0], whole[0] = near[0].clamp(0, 1), whole[0].clamp(0, 1)
        around = batch.near[:, None].expand_as(near[0])
        flags = [
            near[0],
            near[0] > EXACT,
            near[1],
            *whole,
            whole[0] > EXACT,
            around,
            around > EXACT,
        ]
        of_words = self.cq(self.drop(asked))[batch.owner][:, None]
        flagged = self.cf(torch.stack([flag.float() for flag in flags], -1))
        compared = functional.relu(of_words + flagged)
        share = _attention(self.catt, asked, batch.query_mask)[batch.owner][:, None]
        known = batch.query_mask[batch.owner][:, None]
        both = torch.cat([(share * compared).sum(2), (compared * known).max(2).values], -1)
        return functional.relu(self.agg(self.drop(both)))


def _highest(x: Tensor) -> Tensor:
    """The highest of `(n_sentences, width, n)` in every window: `(n_sentences, n_windows, n)`."""
    short = WINDOW - x.shape[1]
    missing = short if short > 0 else short % STEP
    padded = functional.pad(x, (0, 0, 0, missing), value=-1.0)
    return functional.max_pool1d(padded.transpose(1, 2), WINDOW, STEP).transpose(1, 2)


def _windows(mask: Tensor, n: int) -> Tensor:
    """Which of `n` windows each sentence has, `(n_sentences, n)`."""
    length = mask[..., 0].sum(1)
    n_windows = 1 + torch.ceil((length - WINDOW).clamp(min=0) / STEP)
    return torch.arange(n)[None] < n_windows[:, None]


def _inside(mask: Tensor, n: int) -> Tensor:
    """Which words each of `n` windows holds, `(n_sentences, n, width)`."""
    place = torch.arange(mask.shape[1])[None]
    first = STEP * torch.arange(n)[:, None]
    return ((place >= first) & (place < first + WINDOW))[None] & (mask[:, None, :, 0] > 0)


def _attention(layer: nn.Linear, asked: Tensor, mask: Tensor) -> Tensor:
    share: Tensor = layer(asked).masked_fill(mask == 0, NEVER).softmax(1)
    return share


def _along(layer: nn.Conv1d, x: Tensor) -> Tensor:
    # Half the digits suffice for learning, and take half the time.
    with torch.autocast("cpu", torch.bfloat16, layer.training):
        out: Tensor = layer(x.transpose(1, 2))
    return out.float().transpose(1, 2)
