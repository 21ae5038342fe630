"""Encoders: the light path equals sentence-transformers, and what is missing is said plainly."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from model_folders import bag_folder

from corpus.errors import ModelError
from embeddings.encoder import BAG_MODULE, BagEncoder, load_encoder

TEXTS = [
    "深圳市创新混合用地模式,企业用地成本降低了多少?",
    "營商環境優化條例",
    "ＡＩ政務",
    "",
    "!!!",
    "公司拖欠工资怎么办" * 50,
]


@pytest.fixture(scope="module")
def builtin() -> BagEncoder:
    return load_encoder()


def test_rows_are_float32_of_unit_length_and_zero_without_terms(builtin) -> None:
    rows = builtin.encode_document(TEXTS)
    assert rows.shape == (len(TEXTS), builtin.dim)
    assert rows.dtype == np.float32
    norms = np.linalg.norm(rows, axis=1)
    np.testing.assert_allclose(norms[[0, 1, 2, 5]], 1, atol=1e-6)
    assert norms[3] == norms[4] == 0


def test_no_texts_give_no_rows(builtin) -> None:
    assert builtin.encode_query([]).shape == (0, builtin.dim)


def test_traditional_and_simplified_have_one_vector(builtin) -> None:
    one, other = builtin.encode_query(["優化營商環境", "优化营商环境"])
    np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("question", "near", "far"),
    [
        ("老板跑路了,工资还能不能要回来", "用人单位拖欠劳动报酬的", "外国船舶进出港口应当报告"),
        ("邻居家漏水把我家泡了谁赔", "相邻关系中造成损害的应当赔偿", "海关对进出口货物征收关税"),
        ("开公司要准备什么材料", "申请设立公司应当提交的文件", "森林防火期内禁止野外用火"),
    ],
)
def test_lay_words_are_nearer_to_their_official_ones(builtin, question, near, far) -> None:
    asked = builtin.encode_query([question])[0]
    good, bad = builtin.encode_document([near, far])
    assert asked @ good > asked @ bad


def test_small_folder_is_read_as_it_is_written(tmp_path) -> None:
    table = {"table": np.eye(2, 4, dtype=np.float32)}
    encoder = load_encoder(bag_folder(tmp_path / "bag", table, ["_政", "_务"]))
    rows = encoder.encode_document(["政", "务", "政务"])
    np.testing.assert_allclose(rows, [[1, 0, 0, 0], [0, 1, 0, 0], [0.5**0.5, 0.5**0.5, 0, 0]])


def test_one_byte_rows_are_scaled(tmp_path) -> None:
    table = {
        "table": np.array([[127, 0], [0, 127]], np.int8),
        "scale": np.array([0.5, 0.25], np.float16),
    }
    encoder = load_encoder(bag_folder(tmp_path / "bag", table, ["_政", "_务"]))
    row = encoder.encode_document(["政务"])[0]
    assert row[0] / row[1] == pytest.approx(2)


def test_fingerprint_follows_the_weights_and_not_the_place(tmp_path) -> None:
    table = {"table": np.eye(2, 4, dtype=np.float32)}
    one = load_encoder(bag_folder(tmp_path / "a", table, ["_政", "_务"]))
    same = load_encoder(bag_folder(tmp_path / "b", table, ["_政", "_务"]))
    other = load_encoder(bag_folder(tmp_path / "c", {"table": -table["table"]}, ["_政", "_务"]))
    assert one.fingerprint == same.fingerprint != other.fingerprint


@pytest.mark.parametrize("name", ["/no/such/folder", "./nothing", "nothing", "a/b/c"])
def test_missing_model_is_named_with_its_mend(name) -> None:
    with pytest.raises(ModelError, match="no model folder"):
        load_encoder(name)


@pytest.mark.parametrize(
    "damage",
    [
        lambda f: (f / "model.safetensors").write_bytes(b"\x08\0\0\0\0\0\0\0{}"),
        lambda f: (f / "model.safetensors").unlink(),
        lambda f: (f / "vocabulary.json").write_text("[", "utf-8"),
        lambda f: (f / "vocabulary.json").write_text('["_政"]', "utf-8"),
    ],
    ids=["weights", "no-weights", "vocabulary", "sizes"],
)
def test_damaged_folder_is_refused(tmp_path, damage) -> None:
    table = {"table": np.eye(2, 4, dtype=np.float32)}
    folder = bag_folder(tmp_path / "bag", table, ["_政", "_务"])
    damage(folder)
    with pytest.raises(ModelError):
        load_encoder(folder)


def test_default_model_needs_neither_torch_nor_transformers() -> None:
    code = (
        "import sys; from embeddings.encoder import load_encoder\n"
        "load_encoder().encode_query(['政务'])\n"
        "print(sorted({'torch', 'transformers', 'sentence_transformers'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_light_path_equals_sentence_transformers(builtin) -> None:
    from embeddings.bag import sentence_transformer

    folder = Path(sys.modules["embeddings.encoder"].__file__).parent / "model"
    rows = sentence_transformer(folder).encode(TEXTS)
    np.testing.assert_allclose(builtin.encode_document(TEXTS), rows, atol=1e-5)


def test_bag_is_written_as_it_is_read(tmp_path) -> None:
    import torch

    from embeddings.bag import BagOfTerms

    table = torch.randn(3, 8, generator=torch.Generator().manual_seed(0))
    bag = BagOfTerms(["_政", "_务", "政务"], table)
    bag.save(str(tmp_path))
    (tmp_path / "modules.json").write_text(json.dumps([{"type": BAG_MODULE}]), "utf-8")
    light = load_encoder(tmp_path).encode_document(["政务", "政"])
    own = bag(bag.tokenize(["政务", "政"]))["sentence_embedding"].detach()
    own = torch.nn.functional.normalize(own).numpy()
    np.testing.assert_allclose(light, own, atol=0.02)  # one byte a number
    again = BagOfTerms.load(str(tmp_path))
    again.save(str(tmp_path / "again"))
    np.testing.assert_allclose(again.bag.weight.detach(), table, atol=0.03)


def test_other_models_go_through_sentence_transformers_with_their_prompts(tmp_path) -> None:
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Split

    names = {"政": 0, "务": 1, "问": 2, "?": 3}
    tokenizer = Tokenizer(WordLevel(names, unk_token="?"))
    tokenizer.pre_tokenizer = Split("", "isolated")
    weights = np.eye(4, dtype=np.float32)
    module = StaticEmbedding(tokenizer, embedding_weights=weights)
    model = SentenceTransformer(modules=[module], prompts={"query": "问", "document": ""})
    model.save_pretrained(str(tmp_path / "other"))
    encoder = load_encoder(tmp_path / "other")
    asked, told = encoder.encode_query(["政"])[0], encoder.encode_document(["政"])[0]
    assert asked[2] == pytest.approx(asked[0])
    assert told[0] == pytest.approx(1)
    assert encoder.dim == 4
    assert encoder.fingerprint == load_encoder(str(tmp_path / "other")).fingerprint


def test_folder_without_safetensors_is_refused(tmp_path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "bert"}', "utf-8")
    (tmp_path / "pytorch_model.bin").write_bytes(b"not safetensors")
    with pytest.raises(ModelError, match="safetensors"):
        load_encoder(tmp_path)
