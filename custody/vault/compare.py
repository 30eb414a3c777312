"""Whether two vaults are one, judged by what their scripts follow from, never by text or checksum.

Keys are compared whole: public key, chain code and origin (A10). The order of keys inside a
sortedmulti changes no script, so it is worth a remark and no more (A16). A checksum is forty
bits that can be ground to collide (A78): it is compared nowhere.
"""

from collections.abc import Iterator

from custody.bitcoin.descriptor import Descriptor
from custody.bitcoin.keys import KeyExpression
from custody.codes import Code
from custody.errors import CheckFailed, Finding, InvalidInput, Severity, refusals
from custody.vault.checks import inspect_reuse
from custody.vault.cosigner import key_material
from custody.vault.formats import descriptor_text
from custody.vault.vault import Vault
from custody.vault.vault_id import template, vault_id


def compare_vaults(first: Vault, second: Vault) -> tuple[Finding, ...]:
    """Return what tells two vaults apart; nothing in it refuses if they have one vault_id."""
    if first.vault_id == second.vault_id:
        return (*_other_order(first.descriptor, second.descriptor), *_other_names(first, second))
    differences = (
        *_other_keys(first.descriptor, second.descriptor, "the second vault"),
        *_other_rules(first, second),
    )
    return (*_at_least_one(differences), *inspect_reuse(first, (second,)))


def inspect_expected(vault: Vault, expected_text: str) -> tuple[Finding, ...]:
    """Return how the vault differs from a descriptor that was handed over by another way (A10, A14 to A16).

    Raises:
        InvalidInput: the expected text can't be read as a descriptor of this network.
    """
    try:
        expected = descriptor_text.parse(expected_text.encode(), vault.network)
    except InvalidInput as error:
        if error.code is not Code.DESCRIPTOR_UNSUPPORTED:
            raise
        return (_mismatch(f"the expected descriptor is of another kind: {error.message}"),)
    if vault_id(vault.network, expected) == vault.vault_id:
        return tuple(_other_order(vault.descriptor, expected))
    return _at_least_one(
        (
            *_other_keys(vault.descriptor, expected, "the expected descriptor"),
            *_other_template(vault.descriptor, expected),
        )
    )


def require_expected(vault: Vault, expected_text: str) -> tuple[Finding, ...]:
    """Return the remarks of `inspect_expected`; refuse another vault.

    Raises:
        CheckFailed: COSIGNER_MISMATCH where a key differs, else VAULT_MISMATCH.
    """
    findings = inspect_expected(vault, expected_text)
    refused = refusals(findings)
    if refused:
        raise CheckFailed(
            refused[0].code,
            refused[0].message,
            advice=refused[0].advice,
            details={"findings": [finding.to_json() for finding in refused]},
        )
    return findings


def _other_order(first: Descriptor, second: Descriptor) -> Iterator[Finding]:
    if first != second:
        yield Finding(
            Code.SAME_SCRIPTS_OTHER_TEXT,
            Severity.WARN,
            "vault",
            "the descriptors differ in the order or in the parent bytes of their keys, their scripts are the same",
            "Compare vault_id and first address, not the text and not the checksum.",
        )


def _other_names(first: Vault, second: Vault) -> Iterator[Finding]:
    names = {cosigner.key.key.public_key: cosigner.name for cosigner in second.cosigners}
    pairs = [(first.name, second.name)] + [
        (cosigner.name, names[cosigner.key.key.public_key]) for cosigner in first.cosigners
    ]
    differing = [f"`{mine}` is `{theirs}`" for mine, theirs in pairs if mine != theirs]
    if differing:
        yield Finding(
            Code.SAME_SCRIPTS_OTHER_TEXT,
            Severity.NOTE,
            "vault",
            f"names differ: {', '.join(differing)}",
            "Names are for people; it is the same vault.",
        )


def _other_keys(first: Descriptor, second: Descriptor, second_name: str) -> Iterator[Finding]:
    theirs = {_identity(key) for key in second.keys}
    for position, key in enumerate(first.keys, start=1):
        if _identity(key) not in theirs:
            yield Finding(
                Code.COSIGNER_MISMATCH,
                Severity.REFUSE,
                f"key:{position}",
                f"key {position}, [{key.origin.to_text()}], is not among the keys of {second_name}",
                "Ask each cosigner over another channel for their key; somebody may have replaced one.",
            )


def _other_rules(first: Vault, second: Vault) -> Iterator[Finding]:
    if first.network is not second.network:
        yield _mismatch(f"the networks are `{first.network}` and `{second.network}`")
    yield from _other_template(first.descriptor, second.descriptor)


def _other_template(first: Descriptor, second: Descriptor) -> Iterator[Finding]:
    if template(first) != template(second):
        yield _mismatch(f"the rules are `{template(first)}` and `{template(second)}`")


def _at_least_one(differences: tuple[Finding, ...]) -> tuple[Finding, ...]:
    # INVARIANT: two vault_ids never pass as one, even where nothing above names the difference.
    return differences or (_mismatch("the vault_ids differ"),)


def _identity(expression: KeyExpression) -> tuple[bytes, bytes, tuple[int, ...]]:
    return key_material(expression.key), expression.origin.fingerprint, expression.origin.path


def _mismatch(message: str) -> Finding:
    return Finding(
        Code.VAULT_MISMATCH,
        Severity.REFUSE,
        "vault",
        message,
        "Pay to neither until it is known which one was agreed on.",
    )
