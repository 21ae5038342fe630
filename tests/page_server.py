"""Serves the page for the browser tests: `python page_server.py PORT HOME [WATCH]`; HOME may be
"fake" or "slow"."""

import sys
import time
from pathlib import Path

if __name__ == "__main__":
    here = Path(__file__).parent
    sys.path[:0] = [str(here.parent), str(here)]
    from ui.app import serve
    from ui.service import Following

    def opener(progress):
        if sys.argv[2] in ("fake", "slow"):
            from fake_assistant import FakeAssistant

            slow = sys.argv[2] == "slow"
            for done in range(6 if slow else 0):
                progress("向量", done, 6)
                time.sleep(1)
            return FakeAssistant(delay_s=2 if slow else 0.1)
        from rag.assistant import Assistant

        return Assistant.open(Path(sys.argv[2]), progress=progress)

    def chosen():
        from rag.config import load_config

        return load_config(Path(sys.argv[2])).model

    def announce(address):
        sys.stdout.write(address + "\n")
        sys.stdout.flush()

    watch = Path(sys.argv[3]) if len(sys.argv) > 3 else None
    following = Following(watch, None if sys.argv[2] in ("fake", "slow") else chosen)
    serve(opener, port=int(sys.argv[1]), following=following, announce=announce)
