"""Settings of retrieval and answering: default, then HOME/config.toml, environment, flags.

Every table of the file is one of the dataclasses below, for instance::

    model = "D:/models/bge-small-zh-v1.5"
    answerer = "openai"

    [answers]
    max_chars = 600
"""

import json
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypeVar

from corpus.errors import UserError

SETTINGS = "config.toml"

T = TypeVar("T")
AnswererName = Literal["extractive", "transformers", "openai"]
_CHOICES = {
    "answerer": ("extractive", "transformers", "openai"),
    "language": ("zh", "en"),
    "failing": ("mark", "drop"),
}


@dataclass(frozen=True, slots=True)
class RetrievalConfig:
    """How passages are found."""

    n_candidates: int = 100  # chunks taken from each of the two indexes
    n_reranked: int = 50  # of these, how many are re-ranked
    title_boost: float = 0.5  # weight of words that stand in the titles above a chunk
    char_weight: float = 0.5  # of single characters, where words weigh 1
    dense_share: float = 0.67  # of chunks that vectors propose, for each that words do


@dataclass(frozen=True, slots=True)
class AnswerConfig:
    """How answers are put together."""

    max_chars: int = 400  # of an answer, unless a list needs more
    passage_within: float = 2.0  # score by which what else is said of how may trail the best
    part_share: float = 0.4  # of refuse_below: what suffices for one part of a comparison
    compare_within: float = 1.2  # score by which further sentences of a part may trail
    refuse_below: float = 0.33  # confidence; up to 0.35 it costs answers and refuses nothing more
    sure_from: float = 0.5  # confidence; an answer below it is shown with a word of caution
    failing: Literal["mark", "drop"] = "mark"  # what happens to sentences that fail the checks


@dataclass(frozen=True, slots=True)
class GeneratorConfig:
    """Which language model writes; unused by the extractive answerer."""

    generator: str = ""  # a folder, a hub name, or the name on the server
    base_url: str = ""  # of an OpenAI-compatible server; the key comes from ZHENGWEN_API_KEY
    max_tokens: int = 800
    timeout_s: float = 120.0


@dataclass(frozen=True, slots=True)
class Config:
    """All settings."""

    model: str = ""  # embedding model: a folder or a hub name; "" is the built-in one
    answerer: AnswererName = "extractive"
    language: Literal["zh", "en"] = "zh"  # of reports; documents and answers keep their own
    retrieval: RetrievalConfig = field(default_factory=RetrievalConfig)
    answers: AnswerConfig = field(default_factory=AnswerConfig)
    generation: GeneratorConfig = field(default_factory=GeneratorConfig)


def default_home() -> Path:
    """`$ZHENGWEN_HOME`, else `~/.zhengwen`."""
    return Path(os.environ.get("ZHENGWEN_HOME") or Path.home() / ".zhengwen")


def load_config(home: Path, flags: Mapping[str, str] | None = None) -> Config:
    """Read HOME/config.toml, then ZHENGWEN_MODEL, ZHENGWEN_ANSWERER, …, then `flags`.

    Raises
    ------
    UserError
        Naming the file, the key and the value that does not fit.
    """
    file = home / SETTINGS
    config = Config()
    if file.is_file():
        try:
            config = _merged(config, tomllib.loads(file.read_text("utf-8")), str(file))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise UserError(
                f"无法读取配置 {file}：{error}；请按 TOML 格式改正。",
                f"Cannot read the settings {file}: {error}; correct its TOML.",
            ) from error
    named = {"model", "answerer", "language", "generator", "base_url"}
    environment = {key: os.environ.get(f"ZHENGWEN_{key.upper()}", "") for key in named}
    for source, values in (("environment", environment), ("flags", dict(flags or {}))):
        config = _merged(config, {k: v for k, v in values.items() if v}, source)
    return config


def choose_model(home: Path, model: str) -> None:
    """Write the embedding model into HOME/config.toml, for all later commands."""
    file = home / SETTINGS
    text = file.read_text("utf-8") if file.is_file() else ""
    folder = Path(model)
    name = str(folder.resolve()) if folder.is_dir() else model
    line = f"model = {json.dumps(name, ensure_ascii=False)}\n"
    # Only above the first table: below it the key would mean something else.
    top, tables = re.fullmatch(r"(.*?)((?:^\s*\[.*)?)", text, re.DOTALL | re.MULTILINE).groups()  # type: ignore[union-attr]
    top = re.sub(r"^\s*model\s*=.*\n?", "", top, flags=re.MULTILINE)
    temporary = file.with_suffix(f".{os.getpid()}.tmp")
    temporary.write_text(line + top + tables, "utf-8")
    temporary.replace(file)


def _merged(config: Config, values: Mapping[str, Any], source: str) -> Config:
    flat = {"generator", "base_url"} & values.keys()
    generation = values.get("generation", {})
    if not isinstance(generation, dict):
        raise _bad(source, "generation", generation)
    nested = {**generation, **{key: values[key] for key in flat}}
    values = {k: v for k, v in values.items() if k not in flat}
    if nested:
        values["generation"] = nested
    return _replaced(config, values, source)


def _replaced(part: T, values: Mapping[str, Any], source: str) -> T:
    known = {f.name for f in fields(part)}  # type: ignore[arg-type]
    changes: dict[str, Any] = {}
    for key, value in values.items():
        if key not in known or (key in _CHOICES and value not in _CHOICES[key]):
            raise _bad(source, key, value)
        current = getattr(part, key)
        if isinstance(value, dict) and is_dataclass(current):
            changes[key] = _replaced(current, value, source)
        elif isinstance(current, float) and isinstance(value, int | float):
            changes[key] = float(value)
        elif type(value) is type(current):
            changes[key] = value
        else:
            raise _bad(source, key, value)
    return replace(part, **changes)  # type: ignore[type-var]


def _bad(source: str, key: str, value: object) -> UserError:
    return UserError(
        f"配置项 {key} = {value!r} 无效（来自 {source}），请改正或删去。",
        f"setting {key} = {value!r} from {source} is not valid; correct or delete it",
    )
