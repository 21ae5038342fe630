"""Files that were damaged on purpose, and what the sandbox makes of them."""

import random

from corpus.errors import CorpusError
from corpus.readers import Extracted
from corpus.sandbox import Sandbox


def outcome(box: Sandbox, name: str, data: bytes) -> Extracted | CorpusError:
    """What was read, or how it was refused; any other exception is a failure of the test."""
    try:
        found = box.read(name, data)
    except CorpusError as error:
        assert name in error.zh
        return error
    assert all(0 <= page <= len(found.text) for page in found.pages)
    return found


def mutations(data: bytes, n: int = 50) -> list[bytes]:
    """Copies with changed, lost, doubled or cut bytes, always the same ones."""
    chance = random.Random(20240520)
    found = []
    for _ in range(n):
        changed = bytearray(data)
        for _ in range(chance.choice((1, 4, 30))):
            at = chance.randrange(len(changed))
            length = chance.choice((1, 2, 50))
            kind = chance.randrange(4)
            if kind == 0:
                changed[at] = chance.randrange(256)
            elif kind == 1 and len(changed) > 100:
                del changed[at : at + length]
            elif kind == 2:
                changed[at:at] = changed[at : at + length]
            elif len(changed) > 200 and chance.random() < 0.1:
                del changed[at:]
                changed = changed or bytearray(b"x")
        found.append(bytes(changed))
    return found
