"""Make a workspace from a vault's description alone, without its journal: governance is `unknown` there."""

from pathlib import Path

from custody.audit.fold import RESTORED
from custody.audit.journal import Entry
from custody.errors import Finding
from custody.ports import Clock, NonceSource
from custody.vault.checks import require_sound
from custody.vault.vault import Vault
from custody.workflow.clock import rfc3339
from custody.workflow.create_vault import adoption, write_workspace
from custody.workflow.kept_elsewhere import Expected


def restore_description(
    vault: Vault,
    directory: Path,
    expected: Expected,
    *,
    source: str,
    actor: str | None,
    clock: Clock,
    ids: NonceSource,
) -> tuple[Finding, ...]:
    """Make a workspace from a vault's description alone: a new journal, whose governance is `unknown`.

    `expected.head` is what the missing journal ended in, where that was kept; it is recorded.

    Raises:
        CheckFailed: VAULT_MISMATCH. Conflict: VAULT_EXISTS. InvalidInput: a key is refused.
    """
    expected.require_vault(vault.vault_id)
    findings = require_sound(vault)
    first = adoption(vault, ungoverned=False, actor=actor, clock=clock, ids=ids)
    second = Entry.make(
        journal_id=first.journal_id,
        seq=1,
        time=rfc3339(clock.now()),
        tip=None,
        actor=actor,
        kind=RESTORED,
        body={"source": source, "lost_head": expected.head},
        request_id=first.request_id,
        prev=first.hash,
    )
    write_workspace(vault, [first, second], directory, unique=ids.nonce())
    return (*expected.remarks_on_description(), *findings)
