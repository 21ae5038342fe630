"""The settings in, the embedding model they name taken up by a library that is serving.

`zhengwen rebuild --model` encodes all documents beside the vectors in use and then writes its
choice into the settings, which are looked at now and then. Questions go on with the last model
until the next one is ready.
"""

import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from corpus.errors import ModelError, UserError
from embeddings.encoder import load_encoder
from rag.config import SETTINGS
from rag.library import Library

LOOK_EVERY_S = 1.0
_SHARE = 0.1  # of the time that failing attempts may take: loading a model is dear

_LOG = logging.getLogger(__name__)

Stamp = tuple[int, int, int]  # of a file: time of the last change in ns, size, inode


class ModelWatch:
    """Follows the choice of a model; `run` does so until it is told to stop.

    Parameters
    ----------
    model
        The name or folder of the model that the library was opened with.
    chosen
        Reads the settings anew; flags and the environment go before the file there, too.
    """

    def __init__(self, library: Library, model: str, chosen: Callable[[], str]) -> None:
        self._library = library
        self._model = model
        self._chosen = chosen
        self._seen: Stamp | None = None
        self._opening = True  # nothing has been looked at yet
        self._told = ""

    def run(self, stop: threading.Event, *, every_s: float = LOOK_EVERY_S) -> None:
        """Look again and again."""
        while not stop.is_set():
            began = time.monotonic()
            done = self.look()
            stop.wait(every_s if done else max(every_s, (time.monotonic() - began) / _SHARE))

    def look(self) -> bool:
        """Look once, and take up the model that the settings name if they have changed.

        Returns whether nothing is left to be tried again.
        """
        stamp = self._stamp()
        if stamp == self._seen and not self._opening:
            return True
        try:
            self._follow()
        except (ModelError, RuntimeError, MemoryError) as error:
            # It would fail again: until the settings are written anew it is left alone.
            mend = "mend that and run zhengwen rebuild --model again"
            self._tell(f"{error}; {mend}")
        except (UserError, OSError) as error:
            self._tell(f"{error}; trying again")
            return False
        self._seen, self._opening = stamp, False
        return True

    def _follow(self) -> None:
        model = self._chosen()
        # The weights may have changed under their name; those of the built-in model do not.
        if model == self._model and (self._opening or not model):
            return
        encoder = load_encoder(model or None)
        if encoder.fingerprint != self._library.encoder.fingerprint:
            self._library.take_up(encoder)
            _LOG.info("serving with the model %s from now on", encoder.name)
        self._model, self._told = model, ""

    def _tell(self, problem: str) -> None:
        if problem != self._told:
            name = self._library.encoder.name
            _LOG.warning("the model %s goes on serving: %s", name, problem)
        self._told = problem

    def _stamp(self) -> Stamp | None:
        with suppress(OSError):
            found = (self._library.home / SETTINGS).stat()
            return found.st_mtime_ns, found.st_size, found.st_ino
        return None
