"""Where a text for a partner goes: to a new file, or to stdout."""

from pathlib import Path

from custody import atomic
from custody_cli.options import STDIO
from custody_cli.output import Answer

_READ_IT = "read it once before it leaves: numbers, durations and hours are as in yours"


def shared_answer(key: str, text: str, output: str) -> Answer:
    """Write `text`, and answer with it under `key`."""
    if output == STDIO:
        return Answer({key: text}, lambda: (), raw=text.encode("ascii"))
    atomic.create_file(Path(output), text.encode("ascii"))
    return Answer({key: text, "file": output}, lambda: (f"wrote {output}", _READ_IT))
