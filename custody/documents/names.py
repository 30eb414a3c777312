"""Names of vaults, cosigners and officers: lower case ASCII, safe in a path and on a screen.

One alphabet for every name that a person gives, so that no two look alike by letter case
or script, and none can climb out of a folder. Labels and reasons are free text instead,
and go through `display.escape` when shown.
"""

import re

from custody.codes import Code
from custody.errors import InvalidInput

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


def check_name(text: str) -> str:
    """Return `text` if it is a name: `[a-z0-9][a-z0-9_-]{0,63}`.

    Raises:
        InvalidInput: anything else. The message doesn't repeat it.
    """
    if _NAME.fullmatch(text) is None:
        raise InvalidInput(
            Code.NAME_INVALID,
            f"a name of {len(text)} characters is empty, too long, or not only a-z, 0-9, `_` and `-`",
            advice="Use 1 to 64 lower-case letters, digits, `_` and `-`, and begin with a letter or digit.",
        )
    return text
