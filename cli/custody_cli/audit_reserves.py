"""`custody audit reserves`: an auditor challenges, a holder proves, anybody verifies."""

from custody_cli.options import LazyCommand, LazyNoun, examples

VERBS = {
    "challenge": LazyCommand(
        "custody_cli.audit_reserves_challenge:challenge", "The auditor: ask a holder to prove a reserve at a block."
    ),
    "plan": LazyCommand("custody_cli.audit_reserves_plan:plan", "The holder: which proofs this vault's devices sign."),
    "prove": LazyCommand(
        "custody_cli.audit_reserves_prove:prove", "The holder: write the proofs to sign, then the statement."
    ),
    "sign": LazyCommand("custody_cli.audit_reserves_sign:sign", "A signer: let a device sign the proofs of a folder."),
    "verify": LazyCommand(
        "custody_cli.audit_reserves_verify:verify", "Anybody: check statements with a node of your own."
    ),
}
"""Every verb by name; an absent module's verb is not shown."""


class _Reserves(LazyNoun):
    lazy = VERBS


reserves = _Reserves(
    name="reserves",
    help=(
        "Prove that the vault's keys are held, for one auditor and one block, without spending; or verify it.\n\n"
        "No proof of reserves shows that nothing else is owed, or that the coins aren't borrowed: every output says so."
    ),
    epilog=examples(
        'custody audit reserves challenge --network main --holder "Treasury" --purpose "Audit 2026" -o challenge.json',
        "custody audit reserves prove --challenge challenge.json -o /media/card/proofs",
        "custody audit reserves verify statement.json --challenge challenge.json --node http://127.0.0.1:8332",
    ),
)
