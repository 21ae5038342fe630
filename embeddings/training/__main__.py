"""`python -m embeddings.training --data DIR --out DIR`: train the built-in model from open data.

DIR/train holds the training files and DIR/dev the dev sets (they are only measured). A run can be
broken off and started again: what is prepared and every finished stage lie under OUT/work.
"""

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from corpus.errors import UserError

_LOG = logging.getLogger("embeddings.training")

DIM = 256  # twice as many made the vectors and their index twice as large


def main(argv: Sequence[str] | None = None) -> int:
    """Prepare, train all stages, measure, write the model folder."""
    parser = argparse.ArgumentParser(prog="python -m embeddings.training", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with train/ and dev/")
    parser.add_argument("--out", type=Path, required=True, help="folder of the new model")
    parser.add_argument("--dim", type=int, default=DIM, help="dimensions (%(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--share", type=float, default=1.0, help="of the pairs; 0.01 tries it out")
    parser.add_argument(
        "--questions", type=Path, help="practice questions on the cases: eval/practice.jsonl"
    )
    args = parser.parse_args(argv)
    work = args.out / "work"
    work.mkdir(parents=True, exist_ok=True)
    logging.basicConfig(
        level=logging.INFO,
        format="%(asctime)s %(message)s",
        handlers=[logging.StreamHandler(sys.stderr), logging.FileHandler(work / "training.log")],
    )
    from embeddings.training.recipe import Options, run

    try:
        run(
            Options(
                args.data,
                args.out,
                args.dim,
                args.seed,
                args.threads,
                args.share,
                args.questions,
            )
        )
    except UserError as error:
        _LOG.error("%s", error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
