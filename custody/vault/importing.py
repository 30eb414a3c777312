"""From a file to a vault that may be adopted: read, compared with what was expected, checked.

The comparison comes before the checks: a file that isn't what was agreed on is an alarm
(exit 3), whatever else is wrong with it.
"""

from dataclasses import dataclass

from custody.codes import Code
from custody.errors import CheckFailed, Finding, InvalidInput
from custody.vault.checks import require_sound
from custody.vault.compare import require_expected
from custody.vault.formats.detect import VaultFormat, detect_format
from custody.vault.formats.registry import ImportTerms, read_vault
from custody.vault.vault import Vault


@dataclass(frozen=True, slots=True)
class Imported:
    """A vault that nothing refuses, and what is worth saying about it."""

    vault: Vault
    kind: VaultFormat
    remarks: tuple[Finding, ...]
    """On the file and the expected descriptor."""
    key_findings: tuple[Finding, ...]
    """What the checks of the keys warn of."""


def import_vault(data: bytes, terms: ImportTerms, *, expected_descriptor: str | None = None) -> Imported:
    """Read a vault from the content of a file in any known format.

    Raises:
        CheckFailed: COSIGNER_MISMATCH or VAULT_MISMATCH: it is not the vault of `expected_descriptor`.
        InvalidInput: it can't be read, or its keys are refused.
    """
    try:
        vault, remarks = read_vault(data, terms)
    except InvalidInput as error:
        if expected_descriptor is None or error.code is not Code.DESCRIPTOR_UNSUPPORTED:
            raise
        # What is expected can be read and this can't: it is another kind of script, so another vault (A16).
        raise CheckFailed(
            Code.VAULT_MISMATCH,
            f"the file is not the expected vault: {error.message}",
            advice="Pay to neither until it is known which one was agreed on.",
        ) from error
    expected = () if expected_descriptor is None else require_expected(vault, expected_descriptor)
    return Imported(vault, detect_format(data), (*remarks, *expected), require_sound(vault))
