"""Rules of the house that a test can keep: imports run one way, packages say what they export."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ALLOWED = {
    "corpus": {"corpus"},
    "embeddings": {"corpus", "embeddings"},
    "rag": {"corpus", "embeddings", "rag"},
    "eval": {"corpus", "embeddings", "rag", "eval"},
    "ui": {"corpus", "embeddings", "rag", "ui", "eval"},
}
MODULES = sorted(p for package in ALLOWED for p in (ROOT / package).rglob("*.py"))


def imports(tree: ast.Module) -> list[tuple[str, bool]]:
    """`(module, whether it is imported at the top of the file)`."""
    top = set(map(id, tree.body))
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            found.append((node.module, id(node) in top))
        elif isinstance(node, ast.Import):
            found += [(alias.name, id(node) in top) for alias in node.names]
    return found


@pytest.mark.parametrize("file", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_run_from_left_to_right_only(file) -> None:
    package = file.relative_to(ROOT).parts[0]
    for module, top in imports(ast.parse(file.read_text("utf-8"))):
        first = module.split(".")[0]
        if first in ALLOWED:
            assert first in ALLOWED[package], f"{file} imports {module}"
            # The command line starts without the evaluation.
            assert not (package == "ui" and first == "eval" and top), f"{file} imports {module}"


@pytest.mark.parametrize("file", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_every_module_says_what_it_is_for(file) -> None:
    assert ast.get_docstring(ast.parse(file.read_text("utf-8")))


def test_no_source_file_loads_pickles_or_remote_code() -> None:
    for file in MODULES:
        text = file.read_text("utf-8")
        assert "trust_remote_code=True" not in text
        assert "import pickle" not in text
