"""The wheel holds what the product needs and works from an empty folder."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_the_wheel_answers_from_an_empty_folder(tmp_path) -> None:
    built = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        encoding="utf-8",
    )
    assert built.returncode == 0, built.stderr
    (wheel,) = tmp_path.glob("*.whl")
    site = tmp_path / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    work = tmp_path / "empty"
    work.mkdir()
    code = (
        "import corpus, sys; from ui.cli import main; print(corpus.__file__, file=sys.stderr);"
        "sys.exit(main(['--home', 'home', 'ask', '粤复用平台上架了多少应用?', '--json']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=work,
        capture_output=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONPATH": str(site)},
    )
    assert done.returncode == 0, done.stderr
    assert str(site) in done.stderr  # the wheel's packages, not those of the checkout
    assert "3000个" in json.loads(done.stdout)["answer"]
