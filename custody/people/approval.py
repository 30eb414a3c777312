"""Check one signature under a statement: whose key, which kind, over exactly these bytes.

The statement is always built here from what the checker derived; a signature is never looked at
together with a text that came with it. Who the key belongs to is the officer's enrolment to say,
and whether that officer may sign this is the caller's.
"""

from custody.codes import Code
from custody.documents.sshsig import SshSignature, verify_sshsig
from custody.errors import CheckFailed
from custody.people.officer import Officer
from custody.people.statement import Statement


def require_signed(signature: str, statement: Statement, officer: Officer) -> None:
    """Demand that `signature` (armored SSHSIG) is by the officer's own key over the statement.

    Checked are the namespace of the statement's kind, the whole key and the signature; of a
    security key also its application and that its holder was present.

    Raises:
        InvalidInput: SSHSIG_* or SSH_KEY_* for what is malformed, weak or unsupported.
        CheckFailed: STATEMENT_OTHER_KEY, SSHSIG_NAMESPACE, SSHSIG_INVALID, SSHSIG_NO_PRESENCE.
    """
    parsed = SshSignature.from_armored(signature)
    if parsed.key != officer.key:
        raise CheckFailed(
            Code.STATEMENT_OTHER_KEY,
            f"the signature is by key {parsed.key.fingerprint}, officer `{officer.name}` is enrolled with "
            f"{officer.key.fingerprint}",
            advice="Sign with the enrolled key, or name the officer whose key it is with --as.",
        )
    verify_sshsig(parsed, statement.signed_bytes, namespace=statement.kind.namespace)
