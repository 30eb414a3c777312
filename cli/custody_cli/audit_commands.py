"""`custody audit`: rebuild everything from nothing. Each verb's module is imported when it is used."""

from custody_cli.options import LazyCommand, LazyNoun, examples

VERBS = {
    "addresses": LazyCommand("custody_cli.audit_addresses:addresses", "Rebuild addresses by two engines."),
    "balance": LazyCommand("custody_cli.audit_balance:balance", "What the vault held at a block, by several routes."),
    "journal": LazyCommand("custody_cli.audit_journal:journal", "Replay an exported journal; list all that is wrong."),
    "keys": LazyCommand("custody_cli.audit_keys:keys", "When each key was last proven alive."),
    "report": LazyCommand("custody_cli.audit_report:report", "A period: balances, flows, who signed, what stands out."),
    "reserves": LazyCommand("custody_cli.audit_reserves:reserves", "Prove the reserve for a challenge, or verify one."),
    "publish": LazyCommand("custody_cli.audit_publish:publish", "Write the reserve's public page, with its proofs."),
}
"""Every verb by name; an absent module's verb is not shown."""


class _Audit(LazyNoun):
    lazy = VERBS


audit = _Audit(
    name="audit",
    help=(
        "What an auditor, a regulator or a citizen checks without trusting us.\n\n"
        "Bring a descriptor or a vault file, and a node of your own, a snapshot or a copy of the set of unspent "
        "outputs. No total that we printed is believed."
    ),
    epilog=examples(
        "custody audit addresses --vault-file vault.yaml --count 1000",
        "custody audit balance --vault-file vault.yaml --node http://127.0.0.1:8332 --cookie ~/.bitcoin/.cookie",
        "custody audit journal export.jsonl",
    ),
)
