"""Characters that a pinyin input method may give one for another."""

import subprocess
import sys

import pytest

from rag.sounds import sounding_like


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("帐", "账"), ("铜", "同"), ("还", "环"), ("条", "调"), ("负", "付"), ("吕", "旅")],
)
def test_homophones_sound_the_same_whatever_their_tone(typed, meant) -> None:
    assert sounding_like(typed)[meant]
    assert sounding_like(meant)[typed]


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("农", "龙"),
        ("吕", "女"),
        ("栽", "债"),
        ("从", "重"),
        ("四", "是"),
        ("心", "星"),
        ("根", "更"),
        ("山", "上"),
        ("发", "花"),
        ("飞", "会"),
        ("分", "婚"),
        ("父", "户"),
    ],
)
def test_sounds_that_many_do_not_tell_apart_are_alike(typed, meant) -> None:
    assert sounding_like(typed)[meant] is False
    assert sounding_like(meant)[typed] is False


@pytest.mark.parametrize(("one", "other"), [("红", "共"), ("滇", "天"), ("东", "蹲"), ("波", "哥")])
def test_old_readings_and_other_syllables_do_not_count(one, other) -> None:
    assert other not in sounding_like(one)


@pytest.mark.parametrize("char", ["a", "7", "、", "𠮷", "𪚥"])
def test_what_is_no_everyday_character_sounds_like_nothing(char) -> None:
    assert sounding_like(char) == {}


def test_the_large_table_of_phrases_is_not_read() -> None:
    code = (
        "import sys; from rag.sounds import sounding_like; sounding_like('一');"
        "print('pypinyin.phrases_dict' in sys.modules)"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "False"
