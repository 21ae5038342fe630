"""Training data in, pairs of a question-like text and a passage out, made anew for every number.

A pair is made from its kind and a number that seeds all chance in it, so that a run can be
repeated and nothing but numbers needs to be kept. Kinds:

- `news`: a sentence and its neighbours without it (inverse cloze, Lee et al. 2019,
  arXiv:1906.00300); the first sentence is the title's stand-in.
- `law_cloze`: some terms of an article and its title with the other terms.
- `law_sentence`: a sentence of an article and its title with the other sentences.
- `law_title`: the title and the text of an article.
- `item`: the name of a service item and what it says.
- `question`: a question and its encyclopedia passage.
- `lay`: a lay question and an article that answers it.
- `news_reworded`, `law_reworded`: like `news` and `law_sentence`, but the sentence is put into
  lay words; every meaning of `lay_words.tsv` comes equally often.
- `sentence`: a question of our own and a sentence that answers it.
- `case`: a practice question and a chunk of the built-in cases that answers it.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from embeddings.training.data import TrainingData
from embeddings.training.lay import Rewording, load_meanings
from embeddings.training.rows import IntArray

KINDS = (
    "news",
    "law_cloze",
    "law_sentence",
    "law_title",
    "item",
    "question",
    "lay",
    "news_reworded",
    "law_reworded",
    "case",
    "sentence",
)

QUESTION_DROPOUT = 0.1  # share of a question's terms that is left out
SENTENCE_DROPOUT = 0.3  # of a sentence's: people ask with fewer words than texts have
_MIN_KEPT = 4  # terms; shorter texts stay whole


@dataclass(frozen=True, slots=True)
class Pair:
    """A question-like text and a passage, as vocabulary rows."""

    anchor: IntArray
    positive: IntArray
    answer: int = -1  # which passage it is, where negatives are mined


class PairMaker:
    """Makes the pairs of all kinds."""

    def __init__(self, data: TrainingData) -> None:
        self._data = data
        self.asked = data.asked()
        self._articles = self.asked["lay"][2]
        meanings = load_meanings(data.vocabulary)
        self._news_lay = Rewording(meanings, data.news_sentences)
        self._law_lay = Rewording(meanings, data.law_sentences)

    def size(self, kind: str) -> int:
        """How many texts of a kind there are to choose from."""
        data = self._data
        sizes = {"news": len(data.news_first) - 1, "item": len(data.item_titles)}
        sizes |= {asked: len(questions) for asked, (questions, _, _) in self.asked.items()}
        sizes |= dict.fromkeys(("news_reworded", "law_reworded"), len(self._law_lay))
        return sizes.get(kind, len(data.laws))

    def make(self, kind: str, index: int, seed: int) -> Pair:
        """The pair of one kind and text; a pair without terms counts for nothing in a sum."""
        rng = np.random.default_rng([seed, index])
        data = self._data
        match kind:
            case "news":
                return self._news(index, rng)
            case "law_cloze":
                text = data.laws[index]
                taken = rng.random(len(text)) < rng.uniform(0.2, 0.5)
                rest = np.concatenate([data.law_titles[index], text[~taken]])
                return Pair(text[taken], rest)
            case "law_sentence":
                return self._law_sentence(index, rng)
            case "law_title":
                title = _dropped(data.law_titles[index], SENTENCE_DROPOUT, rng)
                return Pair(title, data.laws[index])
            case "item":
                title = _dropped(data.item_titles[index], QUESTION_DROPOUT, rng)
                return Pair(title, data.item_bodies[index])
            case "news_reworded" | "law_reworded":
                return self._reworded(kind, index, rng)
            case "question" | "lay" | "case" | "sentence":
                return self._question(kind, index, rng)
        raise ValueError(f"unknown kind of pairs: {kind}")

    def _question(self, kind: str, index: int, rng: np.random.Generator) -> Pair:
        questions, answers, passages = self.asked[kind]
        answer = int(rng.choice(answers[index]))
        question = _dropped(questions[index], QUESTION_DROPOUT, rng)
        return Pair(question, passages[answer], answer)

    def _reworded(self, kind: str, index: int, rng: np.random.Generator) -> Pair:
        data = self._data
        if kind == "news_reworded":
            chosen = self._news_lay.choose(index, rng)
            anchor = self._news_lay.reworded(data.news_sentences[chosen], rng)
            return Pair(anchor, self._news_context(_holder(data.news_first, chosen), chosen, rng))
        chosen = self._law_lay.choose(index, rng)
        anchor = self._law_lay.reworded(data.law_sentences[chosen], rng)
        return Pair(anchor, self._articles[_holder(data.law_first, chosen)])

    def _news(self, index: int, rng: np.random.Generator) -> Pair:
        data = self._data
        first, last = int(data.news_first[index]), int(data.news_first[index + 1])
        chosen = int(rng.integers(first, max(last, first + 1)))
        if last - first < 2:
            whole = data.news_sentences.span(first, last)
            return Pair(_dropped(whole, SENTENCE_DROPOUT, rng), whole)
        context = self._news_context(index, chosen, rng, itself=False)
        return Pair(_dropped(data.news_sentences[chosen], SENTENCE_DROPOUT, rng), context)

    def _news_context(
        self, index: int, chosen: int, rng: np.random.Generator, *, itself: bool = True
    ) -> IntArray:
        """Sentences around the chosen one, with or without it."""
        data = self._data
        first, last = int(data.news_first[index]), int(data.news_first[index + 1])
        begin = max(first, chosen - int(rng.integers(0, 4)))
        end = min(last, begin + int(rng.integers(2, 7)))
        sentences = [i for i in range(begin, end) if itself or i != chosen] or [
            chosen - 1 if chosen > first else chosen + 1
        ]
        return np.concatenate([data.news_sentences[i] for i in sentences])

    def _law_sentence(self, index: int, rng: np.random.Generator) -> Pair:
        data = self._data
        first, last = int(data.law_first[index]), int(data.law_first[index + 1])
        if last - first < 2:
            return Pair(_dropped(data.laws[index], 0.6, rng), self._articles[index])
        chosen = int(rng.integers(first, last))
        parts = [data.law_titles[index], data.law_sentences.span(first, chosen)]
        parts.append(data.law_sentences.span(chosen + 1, last))
        sentence = _dropped(data.law_sentences[chosen], SENTENCE_DROPOUT, rng)
        return Pair(sentence, np.concatenate(parts))


def _holder(first: npt.NDArray[np.int64], sentence: int) -> int:
    """The document that a sentence lies in."""
    return int(np.searchsorted(first, sentence, side="right")) - 1


def _dropped(rows: IntArray, share: float, rng: np.random.Generator) -> IntArray:
    if len(rows) < _MIN_KEPT:
        return rows
    kept = rows[rng.random(len(rows)) > share]
    return kept if len(kept) else rows
