"""Whatever labels and scripts an output carries, it is ours only if its script is really the vault's."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from custody.bitcoin.amount import Sats
from custody.bitcoin.derivation import DerivedScript
from custody.bitcoin.hashing import hash160
from custody.bitcoin.keys import KeyOrigin
from custody.bitcoin.psbt import KeyDerivation, Psbt, PsbtOutput
from custody.bitcoin.script import multisig_script, p2sh_script, p2wsh_script
from custody.errors import Severity
from custody.spend.review import review
from custody.spend.review_model import OutputRole, ReviewContext, ReviewLimits, Verdict
from support.review_cases import COIN, FEE, PAID, foreign_key, labels, payment, simulated_vault

VAULT = simulated_vault()
CONTEXT = ReviewContext(limits=ReviewLimits(search_depth=12))
SOUND = payment(VAULT)
PLACES = [(branch, index) for branch in (0, 1) for index in (0, 4, 7)]
SCRIPTS = {place: VAULT.deriver.at(*place) for place in PLACES}
OWN_SCRIPTS = {script.script_pubkey for script in SCRIPTS.values()}
TRUE_LABELS = [label for script in SCRIPTS.values() for label in labels(VAULT, script)]
KEYS = [label.public_key for label in TRUE_LABELS] + [foreign_key(number) for number in range(3)]
ORIGINS = [label.origin for label in TRUE_LABELS] + [
    KeyOrigin(b"\xde\xad\xbe\xef", (1, 4)),
    KeyOrigin(VAULT.cosigners[0].fingerprint, (1, 4)),
    KeyOrigin(VAULT.cosigners[1].fingerprint, (*VAULT.cosigners[1].key.origin.path, 7, 4)),
    KeyOrigin(VAULT.cosigners[2].fingerprint, (*VAULT.cosigners[2].key.origin.path, 1, 2**31 - 1)),
    KeyOrigin(VAULT.cosigners[2].fingerprint, VAULT.cosigners[2].key.origin.path),
]


@st.composite
def witness_scripts(draw: st.DrawFn) -> bytes:
    """Return a multisig of a mixture of true and foreign keys, or a script of the vault."""
    if draw(st.booleans()):
        return draw(st.sampled_from(list(SCRIPTS.values()))).witness_script
    keys = draw(st.lists(st.sampled_from(KEYS), min_size=1, max_size=4))
    return multisig_script(draw(st.integers(1, len(keys))), sorted(keys) if draw(st.booleans()) else keys)


@st.composite
def forged_outputs(draw: st.DrawFn) -> PsbtOutput:
    """Return an output with any script, and any labels: forged, decoy and surplus ones among them."""
    script = draw(witness_scripts())
    program = p2wsh_script(script)
    script_pubkey = draw(
        st.sampled_from(
            [
                program,
                program,
                p2sh_script(program),
                b"\x00\x14" + hash160(draw(st.sampled_from(KEYS))),
                draw(st.sampled_from(sorted(OWN_SCRIPTS))),
            ]
        )
    )
    made = draw(st.lists(st.builds(KeyDerivation, st.sampled_from(KEYS), st.sampled_from(ORIGINS)), max_size=5))
    true = draw(st.lists(st.sampled_from(TRUE_LABELS), max_size=4))
    unique = {label.public_key: label for label in (*true, *made)}
    return PsbtOutput(
        Sats(COIN - PAID - FEE),
        script_pubkey,
        draw(st.sampled_from([None, program, draw(witness_scripts())])),
        draw(st.sampled_from([None, script, draw(witness_scripts())])),
        tuple(sorted(unique.values(), key=lambda label: label.public_key)),
    )


@given(forged_outputs())
def test_change_is_claimed_only_if_the_script_is_ours(output: PsbtOutput) -> None:
    answer = review(SOUND.with_output(1, output), VAULT, CONTEXT)
    assert (answer.outputs[1].role is not OutputRole.EXTERNAL) == (output.script_pubkey in OWN_SCRIPTS)
    place = answer.outputs[1].place
    if place is not None:
        assert VAULT.deriver.at(place.branch, place.index).script_pubkey == output.script_pubkey


@given(forged_outputs())
def test_an_output_dressed_with_our_cosigners_labels_is_ours_or_refused(output: PsbtOutput) -> None:
    psbt = SOUND.with_output(1, output)
    answer = review(psbt, VAULT, CONTEXT)
    accounts = {cosigner.fingerprint: cosigner.key.origin.path for cosigner in VAULT.cosigners}
    claims = any(
        label.origin.path[: len(accounts.get(label.origin.fingerprint, (0,) * 99))]
        == accounts.get(label.origin.fingerprint)
        for label in output.derivations
    )
    if claims and output.script_pubkey not in OWN_SCRIPTS:
        assert answer.verdict is Verdict.REFUSED
        assert {found.where for found in answer.findings if found.severity is Severity.REFUSE} == {"output:1"}


@given(st.sampled_from(PLACES), st.lists(st.sampled_from(TRUE_LABELS), max_size=6))
def test_decoy_labels_never_hide_or_sell_an_own_output(place: tuple[int, int], decoys: list[KeyDerivation]) -> None:
    script: DerivedScript = SCRIPTS[place]
    mixed = {label.public_key: label for label in (*decoys, *labels(VAULT, script))}
    output = PsbtOutput(Sats(1_000_000), script.script_pubkey, None, script.witness_script, tuple(mixed.values()))
    answer = review(SOUND.with_output(1, output), VAULT, CONTEXT)
    found = answer.outputs[1].place
    assert found is not None and (found.branch, found.index) == place
    surplus = len(mixed) > len(VAULT.cosigners)
    assert any(finding.code == "SURPLUS_DERIVATION" for finding in answer.findings) == surplus


@given(st.binary(max_size=200), st.integers(0, 4_000))
def test_no_damaged_file_makes_the_review_fail(junk: bytes, position: int) -> None:
    from custody.bitcoin.psbt import psbt_from_text_or_bytes
    from custody.errors import CustodyError

    raw = SOUND.serialize()
    cut = position % len(raw)
    damaged = raw[:cut] + junk + raw[cut + len(junk) :]
    try:
        psbt: Psbt = psbt_from_text_or_bytes(damaged)
    except CustodyError as error:
        assert error.exit_code == 6
        return
    assert replace(review(psbt, VAULT, CONTEXT)).to_json()["verdict"] in ("clean", "warned", "refused")
