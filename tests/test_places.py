"""Places that a question names, and whether a text speaks of them."""

import pytest

from rag.places import mentioned_places, speaks_of


@pytest.mark.parametrize(
    ("place", "text", "said"),
    [
        ("香港", "香港海关", 1.0),
        ("香港", "8名港澳人士", 1.0),
        ("澳门", "粤港澳大湾区", 1.0),
        ("香港", "代理港人开户", 1.0),
        ("香港", "盐田港区的货物", 0.0),
        ("湖南", "福建省", 0.0),
        ("美国", "海外维权专家库", 0.75),
        ("美国", "美国等36个国家", 1.0),
        ("美国", "全市招标投标", 0.0),
        ("黄浦", "黄埔区税务局", 1.0),  # a slip of the input method
        ("上海", "伤害赔偿", 0.0),
    ],
)
def test_a_place_is_spoken_of_by_name_by_its_character_or_as_a_country_abroad(
    place, text, said
) -> None:
    assert speaks_of(text, place) == said


@pytest.mark.parametrize(
    ("question", "places"),
    [
        ("茂名是哪个市帮扶的?", ("茂名",)),  # tagged as no place by the dictionary
        ("合肥园区的厂房多少钱?", ("合肥",)),
        ("湛江跟哪个市结对?", ("湛江",)),
        ("外省同行想取经", ()),
        ("太多材料要交了", ()),
    ],
)
def test_a_city_is_known_whatever_the_dictionary_takes_it_for(question, places) -> None:
    assert mentioned_places(question) == places
