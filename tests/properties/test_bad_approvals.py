"""One thousand generated bad approvals: none of them ever counts, and each is listed with its reason."""

from collections import Counter

import pytest

from custody.audit.fold import fold_more
from custody.people.statement import StatementKind
from support.bad_approvals import Bad, Scene, bad_approvals, make_scene, sign
from support.kill import seeded


@pytest.fixture(scope="module")
def scene() -> Scene:
    return make_scene()


def test_a_thousand_bad_approvals_count_for_nothing(scene: Scene) -> None:
    ways: Counter[str] = Counter()
    for bad in bad_approvals(scene, 1_008, seeded(20_261_126)):
        before = bad.state.proposals[scene.proposal_id].statements
        known = len(bad.state.governance.disregarded)
        after = fold_more(bad.state, [scene.entry(bad)])
        assert after.proposals[scene.proposal_id].statements == before, bad.way
        assert len(after.governance.disregarded) == known + 1, bad.way
        ways[bad.way] += 1
    assert len(ways) == 16
    assert min(ways.values()) >= 60


@pytest.mark.parametrize("name", ["ann", "bo", "cy"])
def test_the_good_one_of_each_counts(scene: Scene, name: str) -> None:
    state = scene.state
    good = Bad("good", state, name, sign(name, scene.statement.signed_bytes))
    record = fold_more(state, [scene.entry(good)]).proposals[scene.proposal_id]
    assert [one.officer for one in record.statements if one.kind == str(StatementKind.APPROVE)] == [name]
