"""A custodian's signed word that they hold the whole descriptor: a lost xpub loses the money as a lost seed does.

Where the policy asks for it, no address is handed out before there is one for each cosigner.
"""

from custody.audit.fold_governance import ATTESTED, VaultFacts
from custody.audit.governance import GovernanceState
from custody.codes import Code
from custody.errors import CheckFailed, Conflict, InvalidInput, NotYet, UsageError
from custody.people.approval import require_signed
from custody.people.officer import SIGNER, Officer
from custody.people.statement import Statement, attest_statement
from custody.vault.vault import Vault
from custody.workflow.office import Desk, Office


def attestation_to_sign(office: Office, cosigner: str, name: str | None) -> tuple[Officer, Statement]:
    """Return who signs and what, for one cosigner's key.

    Raises:
        UsageError: nobody is named. CheckFailed: APPROVER_NOT_AUTHORISED. Conflict: NOT_FOUNDED.
        InvalidInput: COSIGNER_UNKNOWN.
    """
    gov = office.state.governance
    if not gov.is_founded:
        raise Conflict(
            Code.NOT_FOUNDED, "no officers are in force", advice="Found the vault with `custody vault found`."
        )
    if name is None:
        raise UsageError(Code.USAGE, "nobody is named who signs", advice="Say who you are with --as NAME.")
    officer = gov.officers.get(name)
    if officer is None or SIGNER not in officer.roles:
        raise CheckFailed(
            Code.APPROVER_NOT_AUTHORISED,
            f"`{name}` is no officer in force with the role {SIGNER}",
            advice="The custodian of the key attests; see `custody officer list`.",
        )
    return officer, _statement(office.vault, cosigner)


def record_attestation(desk: Desk, cosigner: str, name: str | None, signature: str) -> None:
    """Record the custodian's signature.

    Raises:
        as `attestation_to_sign`, and CheckFailed for a signature that is not over this statement by this officer.
    """
    officer, statement = attestation_to_sign(desk.office, cosigner, name)
    require_signed(signature, statement, officer)
    desk.record_authority([(ATTESTED, {"cosigner": cosigner, "officer": officer.name, "signature": signature})])


def unattested(gov: GovernanceState, vault: Vault) -> tuple[str, ...]:
    """Return the cosigners for whose key no custodian in force has attested, where the policy asks for it."""
    if gov.policy is None or not gov.policy.governance.custodians_attest:
        return ()
    in_force = {one.key.blob for one in gov.officers.values()}
    given = {one.cosigner for one in gov.attested.values() if one.key in in_force}
    return tuple(one.name for one in vault.cosigners if one.name not in given)


def require_attested(gov: GovernanceState, vault: Vault) -> None:
    """Refuse to hand out an address before every key's custodian has attested, where the policy asks for it.

    Raises:
        NotYet: ATTESTATION_MISSING with the cosigners.
    """
    missing = unattested(gov, vault)
    if missing:
        raise NotYet(
            Code.ATTESTATION_MISSING,
            f"no custodian has attested to hold the whole descriptor for {', '.join(missing)}",
            advice="Each custodian signs with `custody cosigner attest COSIGNER --as NAME --key FILE`.",
            details={"missing": [*missing]},
        )


def _statement(vault: Vault, cosigner: str) -> Statement:
    facts = VaultFacts.of(vault)
    if cosigner not in facts.cosigners:
        raise InvalidInput(
            Code.COSIGNER_UNKNOWN,
            f"the vault has no cosigner `{cosigner}`",
            advice="They are: " + ", ".join(facts.cosigners) + ".",
        )
    return attest_statement(
        vault_name=facts.name,
        vault_id=facts.vault_id,
        network=facts.network,
        first_address=facts.first_address,
        cosigner=cosigner,
    )
