"""Which section of a policy a proposal falls under."""

import pytest

from custody.policy.sections import section_for
from custody.spend.proposal import ProposalKind
from support.policies import bank, drop


@pytest.mark.parametrize("kind", ["payment", "internal", "bump", "cancel"])
def test_a_kind_has_its_own_section_or_none(kind: str) -> None:
    policy = bank()
    assert section_for(policy, ProposalKind(kind), None) is getattr(policy, kind)
    assert section_for(bank(drop(kind)), ProposalKind(kind), None) is None


def test_an_emergency_has_the_path_that_it_names() -> None:
    policy = bank()
    assert section_for(policy, ProposalKind.EMERGENCY, "sweep") is policy.emergency[0]
    for path in ("other", "", None):
        assert section_for(policy, ProposalKind.EMERGENCY, path) is None
