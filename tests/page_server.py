"""Serves the page for the browser tests: `python page_server.py PORT HOME [WATCH]`; HOME may be
"fake" or "slow"."""

import sys
import time
from pathlib import Path

if __name__ == "__main__":
    here = Path(__file__).parent
    sys.path[:0] = [str(here.parent), str(here)]
    from ui.app import serve

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

    def announce(address):
        sys.stdout.write(address + "\n")
        sys.stdout.flush()

    watch = Path(sys.argv[3]) if len(sys.argv) > 3 else None
    serve(opener, port=int(sys.argv[1]), watch=watch, announce=announce)
