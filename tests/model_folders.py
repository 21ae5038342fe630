"""Folders of small models for tests."""

import json
import shutil
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

from embeddings.encoder import BAG_MODULE

BUILT_IN_FOLDER = Path(__file__).parent.parent / "embeddings" / "model"


def bag_folder(folder: Path, table: dict[str, np.ndarray], vocabulary: list[str]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    save_file(table, folder / "model.safetensors")
    (folder / "vocabulary.json").write_text(json.dumps(vocabulary), "utf-8")
    (folder / "modules.json").write_text(json.dumps([{"type": BAG_MODULE}]), "utf-8")
    return folder


def turned_model(folder: Path, by: int = 1) -> Path:
    """The built-in model in other axes: alone it answers the same, mixed with another nonsense."""
    shutil.copytree(BUILT_IN_FOLDER, folder)
    weights = load_file(folder / "model.safetensors")
    weights["table"] = np.ascontiguousarray(np.roll(weights["table"], by, axis=1))
    save_file(weights, folder / "model.safetensors")
    return folder
