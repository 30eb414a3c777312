"""Key labels (BIP 32 derivations in a PSBT) compared with a script that is really ours.

A label says: this public key stands at this origin. On a script of the vault each label must
name one of its keys with that key's own origin; what a label says otherwise is a lie or a
decoy for the tools that believe it (A28).
"""

from collections.abc import Sequence

from custody.bitcoin.derivation import DerivedScript
from custody.bitcoin.keys import KeyOrigin
from custody.bitcoin.psbt import KeyDerivation
from custody.codes import Code
from custody.errors import Finding
from custody.spend.review_findings import refuse
from custody.spend.review_places import steps_below_cosigner
from custody.vault.vault import Vault


def label_findings(
    where: str, labels: Sequence[KeyDerivation], script: DerivedScript, vault: Vault
) -> tuple[Finding, ...]:
    """Return what is wrong with the labels of an input or output whose script is `script`."""
    cosigner_of = {key: number for number, key in enumerate(script.key_by_cosigner)}
    findings: list[Finding] = []
    for label in labels:
        number = cosigner_of.get(label.public_key)
        if number is None:
            findings.append(_foreign_key(where, label, vault, surplus=len(labels) > len(vault.cosigners)))
            continue
        expected = own_origin(vault, number, script)
        if label.origin != expected:
            findings.append(
                refuse(
                    Code.DERIVATION_MISMATCH,
                    where,
                    f"the key of cosigner `{vault.cosigners[number].name}` is labelled "
                    f"`{label.origin.to_text()}`, expected `{expected.to_text()}`",
                )
            )
    return tuple(findings)


def unlabelled_cosigners(labels: Sequence[KeyDerivation], script: DerivedScript, vault: Vault) -> tuple[str, ...]:
    """Return the cosigners whose keys carry no label, in the vault's order."""
    labelled = {label.public_key for label in labels}
    return tuple(
        cosigner.name
        for cosigner, key in zip(vault.cosigners, script.key_by_cosigner, strict=True)
        if key not in labelled
    )


def own_origin(vault: Vault, number: int, script: DerivedScript) -> KeyOrigin:
    """Return the true origin of cosigner `number`'s key in `script`."""
    account = vault.cosigners[number].key.origin
    return KeyOrigin(account.fingerprint, (*account.path, script.branch, script.index))


def _foreign_key(where: str, label: KeyDerivation, vault: Vault, *, surplus: bool) -> Finding:
    named = steps_below_cosigner(vault, label.origin)
    if named is not None and not surplus:
        return refuse(
            Code.DERIVATION_MISMATCH,
            where,
            f"key `{label.public_key.hex()}` is labelled as cosigner `{vault.cosigners[named[0]].name}` "
            "and is not that cosigner's",
        )
    return refuse(
        Code.SURPLUS_DERIVATION,
        where,
        f"key `{label.public_key.hex()}` is labelled `{label.origin.to_text()}` and does not stand in the script",
    )
