"""Outputs that are dressed as ours and are not: which lie it is (A20 to A22, A24, A25, A27).

Called only for an output whose script the vault does not derive. Its labels are tested one
by one against the cosigners' keys, its scripts against the output script. The order of the
decisions is that of the functions below; `docs/formats/psbt-review.md` states it in words.
None of the answers makes the output ours: it stays external in every case.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from custody.bitcoin.curve import PublicKey
from custody.bitcoin.descriptor import ScriptType
from custody.bitcoin.hashing import hash160, sha256
from custody.bitcoin.keys import HARDENED, ExtendedKey
from custody.bitcoin.psbt import PsbtOutput
from custody.bitcoin.script import multisig_script, p2sh_script, p2wsh_script, parse_multisig
from custody.codes import Code
from custody.errors import Finding
from custody.spend.review_findings import refuse, warn
from custody.spend.review_model import Place
from custody.spend.review_places import steps_below_cosigner
from custody.vault.vault import Vault

MAX_STEPS = 4
"""Labels with more steps below a cosigner's key are not followed and count as untrue."""
MAX_LABELS = 30
"""Labels of one output that are tested: twice what the largest vault needs."""

_TAP_TWEAK = sha256(b"TapTweak")


@dataclass(frozen=True, slots=True)
class _Labels:
    """What the labels of one output are worth."""

    true_keys: frozenset[bytes]
    places: frozenset[tuple[int, ...]]
    """Steps below the cosigners' keys at which the true labels stand."""
    has_false: bool
    """A label names a cosigner and a key that is not that cosigner's, or there are too many to test."""


def claim_findings(
    where: str, output: PsbtOutput, vault: Vault, *, found_keys: dict[bytes, Place]
) -> tuple[Finding, ...]:
    """Say what the metadata of an output that is not ours pretends.

    `found_keys` are keys of the vault that a search found in scripts, with their places.
    """
    if not output.derivations and output.witness_script is None and output.redeem_script is None:
        return ()
    if not scripts_fit(output.script_pubkey, output.witness_script, output.redeem_script):
        return (_contradiction(where, "a script in its metadata is not the script that the output commits to"),)
    labels = _test_labels(output, vault, found_keys)
    if labels.has_false:
        return (
            refuse(
                Code.CHANGE_NOT_OURS,
                where,
                "the output is labelled with this vault's cosigners and holds keys that are not theirs",
            ),
        )
    if labels.true_keys:
        return (_misuse_of_true_keys(where, output, vault, labels),)
    if not output.derivations:
        return ()
    return (
        warn(
            Code.SURPLUS_DERIVATION,
            where,
            "the output carries key labels of another wallet; it is treated as a payment",
            "Make sure that this output is meant as a payment to that wallet.",
        ),
    )


def scripts_fit(script_pubkey: bytes, witness_script: bytes | None, redeem_script: bytes | None) -> bool:
    """Whether the scripts that a file gives are those that `script_pubkey` commits to."""
    if redeem_script is not None:
        inner_fits = witness_script is None or redeem_script == p2wsh_script(witness_script)
        return inner_fits and script_pubkey == p2sh_script(redeem_script)
    if witness_script is None:
        return True
    program = p2wsh_script(witness_script)
    return script_pubkey in (program, p2sh_script(program))


def _test_labels(output: PsbtOutput, vault: Vault, found_keys: dict[bytes, Place]) -> _Labels:
    multisig = parse_multisig(output.witness_script) if output.witness_script is not None else None
    true_keys = {key for key in (multisig[1] if multisig else ()) if key in found_keys}
    places = {(found_keys[key].branch, found_keys[key].index) for key in true_keys}
    all_places: set[tuple[int, ...]] = set(places)
    has_false = len(output.derivations) > MAX_LABELS
    for label in output.derivations[:MAX_LABELS]:
        named = steps_below_cosigner(vault, label.origin)
        if named is None:
            continue
        number, steps = named
        if _key_at(vault.cosigners[number].key.key, steps) == label.public_key:
            true_keys.add(label.public_key)
            all_places.add(steps)
        else:
            has_false = True
    return _Labels(frozenset(true_keys), frozenset(all_places), has_false)


def _misuse_of_true_keys(where: str, output: PsbtOutput, vault: Vault, labels: _Labels) -> Finding:
    """Name the finding for an output whose labels that name cosigners are all true."""
    keys_by_place = {steps: _vault_keys_at(vault, steps) for steps in labels.places}
    members = labels.true_keys.union(*keys_by_place.values())
    if output.witness_script is not None:
        multisig = parse_multisig(output.witness_script)
        if multisig is None or not members.issuperset(multisig[1]):
            return refuse(
                Code.CHANGE_NOT_OURS,
                where,
                "the output is labelled with this vault's cosigners and its script holds other keys as well",
            )
        follows_rule = True
    else:
        ours = [keys for keys in keys_by_place.values() if len(keys) == len(vault.cosigners)]
        sets_of_keys = [*ours, tuple(sorted(labels.true_keys))]
        by_rule = {_by_vault_rule(vault, keys) for keys in sets_of_keys}
        follows_rule = output.script_pubkey in by_rule
        if not follows_rule and not any(output.script_pubkey in _other_rules(keys) for keys in sets_of_keys):
            return _contradiction(where, "its labels are true, and its script is made of other keys")
    return _place_finding(where, vault, labels.places, follows_rule=follows_rule)


def _place_finding(where: str, vault: Vault, places: frozenset[tuple[int, ...]], *, follows_rule: bool) -> Finding:
    if follows_rule and len(places) > 1:
        listed = ", ".join(sorted("/".join(map(str, steps)) for steps in places)[:3])
        return refuse(
            Code.CHANGE_MIXED_PATHS,
            where,
            f"the output's keys stand at different places of the vault ({listed}): nobody would find it again",
        )
    steps = next(iter(places))
    if follows_rule and not _is_known_chain(vault, steps):
        return refuse(
            Code.CHANGE_UNKNOWN_CHAIN,
            where,
            f"the output's keys stand at `{'/'.join(map(str, steps))}`, which no branch of the vault covers",
        )
    return refuse(
        Code.CHANGE_SCRIPT_MISMATCH,
        where,
        "the output is made of this vault's keys with another script: threshold, keys, order or type differ",
    )


def _is_known_chain(vault: Vault, steps: tuple[int, ...]) -> bool:
    return len(steps) == 2 and steps[0] in vault.descriptor.branches


def _key_at(key: ExtendedKey, steps: Sequence[int]) -> bytes | None:
    """Return the public key at unhardened `steps` below `key`, None where it can't be derived."""
    if not 1 <= len(steps) <= MAX_STEPS or any(step >= HARDENED for step in steps):
        return None
    for step in steps:
        key = key.child(step)
    return key.public_key


def _vault_keys_at(vault: Vault, steps: tuple[int, ...]) -> tuple[bytes, ...]:
    """Return every cosigner's key at `steps`, in the order of the descriptor."""
    keys = (_key_at(cosigner.key.key, steps) for cosigner in vault.cosigners)
    return tuple(key for key in keys if key is not None)


def _by_vault_rule(vault: Vault, keys: Sequence[bytes]) -> bytes | None:
    if len(keys) != len(vault.cosigners):
        return None
    program = p2wsh_script(multisig_script(vault.threshold, sorted(keys)))
    nested = vault.descriptor.script_type is ScriptType.SH_WSH_SORTEDMULTI
    return p2sh_script(program) if nested else program


def _other_rules(keys: Sequence[bytes]) -> set[bytes]:
    """Return the output scripts that the same keys give under another threshold, order, wrapping or alone."""
    scripts: set[bytes] = set()
    for ordered in (tuple(sorted(keys)), tuple(keys)):
        for threshold in range(1, len(keys) + 1):
            multisig = multisig_script(threshold, ordered)
            program = p2wsh_script(multisig)
            scripts |= {multisig, p2sh_script(multisig), program, p2sh_script(program)}
    for key in keys:
        key_hash, x_only = hash160(key), key[1:]
        program = b"\x00\x14" + key_hash
        tweaked = PublicKey(b"\x02" + x_only).tweak_add(sha256(_TAP_TWEAK + _TAP_TWEAK + x_only))
        scripts |= {
            b"\x76\xa9\x14" + key_hash + b"\x88\xac",
            program,
            p2sh_script(program),
            b"\x51\x20" + x_only,
            b"\x51\x20" + tweaked[1:],
        }
    return scripts


def _contradiction(where: str, why: str) -> Finding:
    return refuse(
        Code.OUTPUT_METADATA_CONTRADICTS_SCRIPT,
        where,
        f"the output is dressed as this vault's and is not: {why}",
    )
