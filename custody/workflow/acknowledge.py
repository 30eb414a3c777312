"""Warnings are acknowledged one by one, by their exact words `CODE@where`, and journalled.

What was acknowledged at one step of a proposal holds for its later steps. A missing one is
exit 5 and lists the words to type; one that nothing warned of is exit 2, so that a script
can't acknowledge in advance what nobody has read.
"""

from collections.abc import Collection, Sequence

from custody.codes import Code
from custody.errors import Finding, JsonValue, NotYet, Severity, UsageError


def words_of(finding: Finding) -> str:
    """Return what a person types to acknowledge the finding."""
    return f"{finding.code}@{finding.where}"


def require_acknowledged(
    findings: Sequence[Finding], given: Collection[str], earlier: Collection[str]
) -> tuple[str, ...]:
    """Return the items that are new with this step.

    Raises:
        UsageError: ACK_UNKNOWN, an item that nothing warns of.
        NotYet: ACK_MISSING, with every missing item, and what it warns of, in the details.
    """
    warned = [words_of(finding) for finding in findings if finding.severity is Severity.WARN]
    unknown = sorted(set(given) - set(warned))
    if unknown:
        raise UsageError(
            Code.ACK_UNKNOWN,
            f"`{unknown[0]}` acknowledges nothing that this step warns of",
            advice="Give exactly the words that the review lists, and only those.",
        )
    missing = [item for item in dict.fromkeys(warned) if item not in given and item not in earlier]
    if missing:
        listed: list[JsonValue] = list(missing)
        warnings: list[JsonValue] = [one.to_json() for one in findings if words_of(one) in missing]
        raise NotYet(
            Code.ACK_MISSING,
            f"{len(missing)} warning(s) are not acknowledged: {', '.join(missing)}",
            advice="Read each warning (those of the payment with `custody proposal show`), then repeat with "
            + " ".join(f"--ack {item}" for item in missing)
            + ".",
            details={"missing": listed, "warnings": warnings},
        )
    return tuple(item for item in dict.fromkeys(warned) if item in given and item not in earlier)
