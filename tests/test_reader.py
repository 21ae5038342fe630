"""The reader: numpy computes what torch trained, and a tiny one learns to tell answers apart."""

import random
from functools import partial

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from corpus.types import Chunk
from embeddings.encoder import load_encoder
from embeddings.words import WordVectors
from eval import fit_reader
from eval.fit_reader import Example, Texts, example, make_batch
from eval.groups import Group
from eval.parallel import side_by_side
from eval.reader_network import Batch, ReaderNetwork
from rag import reader
from rag.assistant import Assistant
from rag.questions import read_intent
from rag.reader import MAX_WORDS, WINDOW, Place, Reader, read_words
from rag.select import FEATURES, Candidate
from rag.types import Hit

QUESTION = "深圳有多少台ATM机支持外卡取现?"
INTENT = read_intent(QUESTION, [])
AROUND = "广州市 五、便利境外人员支付 深圳ATM机 支持外卡取现"
TEXTS = (
    "4357台ATM机支持外卡取现,1623个银行网点可兑换外币。",
    "广东省建设招商引资对接平台",
    "近年来,东莞市持续推进改革。" * 7,
)


@pytest.fixture(scope="module")
def vectors() -> WordVectors:
    return WordVectors(load_encoder())


@pytest.fixture
def network(vectors, tmp_path, monkeypatch):
    """A network with random weights that the reader takes for its own."""
    torch.manual_seed(0)
    made = ReaderNetwork(vectors.dim).eval()
    weights = {f"0.{name}": tensor for name, tensor in made.state_dict().items()}
    save_file(weights, tmp_path / "reader.safetensors")
    monkeypatch.setattr(reader, "FILE", tmp_path / "reader.safetensors")
    reader.networks.cache_clear()
    yield made
    reader.networks.cache_clear()


def _places(texts: tuple[str, ...] | list[str] = TEXTS) -> list[Place]:
    return [Place(text, AROUND * (i % 2)) for i, text in enumerate(texts)]


def _example(texts: tuple[str, ...], right: int) -> Example:
    relevant = np.arange(len(texts)) == right
    rows = np.zeros((len(texts), len(FEATURES) - 1))
    return Example(QUESTION, tuple(_places(texts)), rows, relevant, (None,) * len(texts), relevant)


def _batch(*examples: Example) -> Batch:
    # With this seed no answer is taken away.
    return make_batch(examples, Texts(examples, load_encoder()), random.Random(0))


def test_numpy_computes_what_torch_computes(network: ReaderNetwork, vectors: WordVectors) -> None:
    with torch.no_grad():
        _, expected = network(_batch(_example(TEXTS, 0)))
    np.testing.assert_allclose(Reader(vectors).read(QUESTION, _places()), expected, atol=1e-4)


def test_read_in_pieces_by_length_a_batch_scores_the_same(network: ReaderNetwork) -> None:
    batch = _batch(_example(TEXTS, 0))
    pieces = list(batch.by_length(2))
    with torch.no_grad():
        _, whole = network(batch)
        found = torch.cat([network(piece)[1] for piece in pieces])
    assert pieces[0].vectors.shape[1] < batch.vectors.shape[1]
    order = torch.argsort(batch.mask.sum((1, 2)))
    torch.testing.assert_close(found, whole[order])


def test_a_sentence_is_read_by_itself(network: ReaderNetwork, vectors: WordVectors) -> None:
    read = Reader(vectors).read
    together = read(QUESTION, _places())
    alone = [read(QUESTION, [place])[0] for place in _places()]
    np.testing.assert_allclose(together, alone, atol=1e-4)


def test_nothing_to_read_is_no_error(network: ReaderNetwork, vectors: WordVectors) -> None:
    found = Reader(vectors).read(QUESTION, _places(["", "  ", TEXTS[0]]))
    assert found[2] > found[0] == found[1]
    assert Reader(vectors).read(QUESTION, []).shape == (0,)
    assert Reader(vectors).read("", _places()).tolist() == [0, 0, 0]


def test_what_stands_late_in_a_long_sentence_is_read(vectors: WordVectors) -> None:
    filler = "近年来,东莞市持续推进改革," * 12
    assert len(read_words(filler).words) > WINDOW
    without, late, alone = Reader(vectors).read(
        QUESTION, _places([filler, filler + TEXTS[0], TEXTS[0]])
    )
    assert without < late
    assert alone - late < (alone - without) / 2


def test_a_sentence_gains_nothing_by_its_length(vectors: WordVectors) -> None:
    filler = "近年来,东莞市持续推进改革,"
    once, window, often = (Place(filler * n, AROUND) for n in (1, 4, 16))
    assert len(read_words(window.text).words) >= WINDOW
    short, full, long = Reader(vectors).read(QUESTION, [once, window, often])
    assert abs(long - full) < abs(full - short) / 2


def test_words_are_cut_to_the_limit_and_tagged() -> None:
    assert len(read_words("改革," * 100).words) == MAX_WORDS
    numbers = read_words("增长35.2%").tags
    assert numbers[-1] == reader.TAGS.index("m")


def test_the_words_of_an_answer_are_found_in_their_sentence() -> None:
    text = TEXTS[0]
    chunk = Chunk(1, 1, 1, 0, len(text), text, "文", None, "", "")
    candidate = Candidate(Hit(1, 1.0, chunk), 0, len(text), text, 1.0, np.zeros(len(FEATURES)))
    made = example(Group(QUESTION, (candidate,), np.array([True]), INTENT, "1623个"))
    marked = [w for w, m in zip(read_words(TEXTS[0]).words, made.marks[0], strict=False) if m]
    assert "".join(marked) == "1623个"
    lost = example(Group(QUESTION, (candidate,), np.array([True]), INTENT, "没有的"))
    assert lost.marks == (None,)


def test_a_reader_does_not_choose_what_the_next_one_learns_from(tmp_path) -> None:
    with Assistant.open(tmp_path) as assistant:
        found = fit_reader.unread(assistant).evidence(QUESTION)
    assert any("ATM" in candidate.text for candidate in found.candidates)
    assert {candidate.feature("reader") for candidate in found.candidates} == {0.0}


def test_a_network_learns_which_sentence_answers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(fit_reader, "EPOCHS", 80)
    monkeypatch.setattr(fit_reader, "TAKEN_AWAY", 0.0)
    unseen = _example(("另有77台机器投用。", "另有机器投用,反映很好。"), 0)
    asked = [
        _example((f"共{n}台设备投入使用。", "设备已经投入使用,效果良好。"), 0) for n in range(16)
    ]
    texts = Texts([*asked, unseen], load_encoder())
    network = fit_reader.train(asked, [], texts)
    with torch.no_grad():
        _, scores = network(make_batch([unseen], texts, random.Random(0)))
    assert scores[0] > scores[1] + 1


def test_networks_come_back_from_the_processes_that_trained_them() -> None:
    asked = [_example(TEXTS, 0)] * 16
    pieces = [partial(fit_reader.trained_state, seed, asked, asked) for seed in range(2)]
    first, second = side_by_side(pieces, workers=2)
    assert {name.split(".", 1)[0] for name in (*first, *second)} == {"0", "1"}
    assert not np.array_equal(first["0.proj.weight"], second["1.proj.weight"])
