"""Each of our documents says its format, and another one is refused without repeating what it says."""

from collections.abc import Callable

import pytest

from custody.audit.bundle import BUNDLE_FORMAT, Bundle
from custody.audit.trust_pin import PIN_FORMAT, TrustPin
from custody.codes import Code
from custody.documents.canonical_json import canonical
from custody.documents.format_tag import require_format
from custody.errors import InvalidInput, JsonValue, UpgradeNeeded
from custody.people.change import CHANGE_FORMAT, Change
from custody.policy.cases import CASES_FORMAT, load_cases
from custody.policy.load import POLICY_FORMAT, policy_from_document
from custody.spend.proposal import PROPOSAL_FORMAT, Proposal
from custody.vault.vault import VAULT_FORMAT, Vault
from custody.workflow.checkpoint import CHECKPOINT_FORMAT, SignedHead

READERS: dict[str, Callable[[JsonValue], object]] = {
    BUNDLE_FORMAT: lambda document: Bundle.from_bytes(canonical(document)),
    PIN_FORMAT: lambda document: TrustPin.from_bytes(canonical(document)),
    CHANGE_FORMAT: Change.from_document,
    CASES_FORMAT: lambda document: load_cases(canonical(document)),
    POLICY_FORMAT: policy_from_document,
    PROPOSAL_FORMAT: Proposal.from_document,
    VAULT_FORMAT: Vault.from_document,
    CHECKPOINT_FORMAT: lambda document: SignedHead.from_bytes(canonical(document)),
}
STRANGE = "words-of-a-stranger"


@pytest.mark.parametrize("tag", sorted(READERS))
def test_a_later_version_asks_for_a_newer_program(tag: str) -> None:
    family = tag[: tag.index("/") + 1]
    with pytest.raises(UpgradeNeeded) as caught:
        READERS[tag]({"format": family + STRANGE})
    assert caught.value.code is Code.UPGRADE_NEEDED
    assert tag in caught.value.message and STRANGE not in caught.value.message + caught.value.advice


@pytest.mark.parametrize("tag", sorted(READERS))
@pytest.mark.parametrize("found", [STRANGE, None, 1, "custody"])
def test_anything_else_is_an_unknown_format(tag: str, found: JsonValue) -> None:
    with pytest.raises(InvalidInput) as caught:
        READERS[tag]({"format": found})
    assert caught.value.code is Code.UNKNOWN_FORMAT
    assert tag in caught.value.message and STRANGE not in caught.value.message + caught.value.advice


@pytest.mark.parametrize("document", [{}, [], None, "custody-vault/1"])
def test_what_has_no_tag_is_an_unknown_format(document: JsonValue) -> None:
    with pytest.raises(InvalidInput) as caught:
        require_format(document, VAULT_FORMAT, "the vault", advice="Give a vault.")
    assert (caught.value.code, caught.value.advice) == (Code.UNKNOWN_FORMAT, "Give a vault.")
