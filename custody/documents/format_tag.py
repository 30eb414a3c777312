"""The format tag of our own documents: `custody-<what>/<version>`, under the key `format`."""

from custody.codes import Code
from custody.errors import InvalidInput, JsonValue, UpgradeNeeded


def require_format(document: JsonValue, tag: str, what: str, *, advice: str) -> None:
    """Refuse a document that is not of the format `tag`; `what` names it for people, `advice` says what to give.

    Raises:
        UpgradeNeeded: UPGRADE_NEEDED for another version of the same format.
        InvalidInput: UNKNOWN_FORMAT for anything else.
    """
    found = document.get("format") if isinstance(document, dict) else None
    if found == tag:
        return
    # INVARIANT: the tag found is never repeated; in a stranger's document it may be anything.
    if isinstance(found, str) and found.startswith(tag[: tag.index("/") + 1]):
        raise UpgradeNeeded(
            Code.UPGRADE_NEEDED,
            f"{what} has another format than `{tag}`, which is what this version reads",
            advice="Use a newer version of this program.",
        )
    raise InvalidInput(Code.UNKNOWN_FORMAT, f"the document's format is not `{tag}`", advice=advice)
