"""A policy and a decision in plain sentences."""

from custody.policy.decision import Gate
from custody.policy.explain import explain_decision, explain_policy
from support.policies import BTC, a_history, a_payment, bank, decide, drop, put


def test_the_central_bank_in_sentences() -> None:
    said = explain_policy(bank())
    assert said == [
        "Policy `central-bank`, version 1. What it doesn't allow is forbidden.",
        "Hours and days are those of Asia/Karachi; time is the chain's median time past.",
        "Officers, policy and allowlist are changed, and a freeze or a suspension lifted, by 2 administrator and "
        "1 auditor; a change that could make anything easier waits 48 hours.",
        "No address is given out before the custodian of each key has attested to hold the whole descriptor.",
        "A new entry of the allowlist is usable 24 hours after its change took effect.",
        "A frozen coin stays; only a cancel may spend it.",
        "An address of ours may hold at most 1,000 BTC (100,000,000,000 sat).",
        "An address of ours may be paid only once.",
        "Coins whose labels begin with different ones of `mining`, `grant` never meet in one transaction.",
        "Each key proves every 90 days that it is alive; one that is overdue is named, and stops no payment.",
        "Payments above 0 up to 10 BTC (1,000,000,000 sat), fee included (tier `routine`), need "
        "approval by 2 approver; signing may begin on mon, tue, wed, thu, fri 09:00 to 17:00.",
        "Payments above 10 BTC (1,000,000,000 sat) up to 1,000 BTC (100,000,000,000 sat), fee included (tier `large`), "
        "need approval by 2 approver and 1 board, then wait 6 hours after the last of them; "
        "signing may begin on mon, tue, wed, thu, fri 09:00 to 17:00.",
        "A drafter's own approval doesn't count.",
        "Destinations outside the allowlist are denied.",
        "Payments and their fees may take at most 1,000 BTC (100,000,000,000 sat) at once, "
        "at most 1,000 BTC (100,000,000,000 sat) in 24 hours, at most 2,000 BTC (200,000,000,000 sat) in 7 days, "
        "at most 5,000 BTC (500,000,000,000 sat) in 30 days.",
        "A payment pays a fee of at most 0.01000000 BTC (1,000,000 sat), at most 200 sat/vB and at most 1 %, "
        "spends 1 to 100 coins with 6 confirmations or more, has a height of at most the tip as locktime, "
        "signals replacement, and lives at most 14 days.",
        "A move within the vault needs approval by 2 approver; signing may begin on mon, tue, wed, thu, fri "
        "09:00 to 17:00. A drafter's own approval doesn't count.",
        "It pays a fee of at most 0.01000000 BTC (1,000,000 sat), at most 50 sat/vB and at most 1 %, "
        "spends 1 to 200 coins with 6 confirmations or more, has a height of at most the tip as locktime, "
        "signals replacement, and lives at most 14 days.",
        "A bump, which pays the same again at a higher fee, needs approval by 1 approver; "
        "signing may begin at any hour. A drafter's own approval doesn't count.",
        "It pays a fee of at most 0.02000000 BTC (2,000,000 sat), at most 500 sat/vB and at most 2 %, "
        "spends 1 to 100 coins with 6 confirmations or more, has a height of at most the tip as locktime, "
        "signals replacement, and lives at most 3 days.",
        "A cancel, which takes a payment back by spending its coins to ourselves, needs approval by 1 approver; "
        "signing may begin at any hour. A drafter's own approval counts.",
        "It pays a fee of at most 0.05000000 BTC (5,000,000 sat), at most 1,000 sat/vB and at most 5 %, "
        "spends 1 to 100 coins with 1 confirmation or more, has a height of at most the tip as locktime, "
        "signals replacement, and lives at most 3 days.",
        "A bump counts in the limits of payments; where the payment was never approved, it needs its tier's too.",
        "Emergency path `sweep` pays only recovery-vault and needs approval by 1 approver and 2 board; "
        "signing may begin at any hour. A drafter's own approval doesn't count.",
        "By path `sweep` payments and their fees may take any amount at once, any amount in 24 hours, "
        "any amount in 7 days, any amount in 30 days.",
        "A payment by path `sweep` pays a fee of at most 0.10000000 BTC (10,000,000 sat), at most 1,000 sat/vB "
        "and at most 1 %, spends 1 coin or more with 1 confirmation or more, "
        "has a height of at most the tip as locktime, signals replacement, and lives at most 3 days.",
        "It stays open while spending is suspended.",
    ]


def test_what_is_forbidden_or_free_is_said_too() -> None:
    sections = [drop(name) for name in ("keys", "payment", "internal", "bump", "cancel", "emergency")]
    lenient = [
        put("governance.custodians_attest", False),
        put("coins", {"address_cap": "unlimited", "address_reuse": "allowed", "keep_apart": []}),
    ]
    said = explain_policy(bank(*lenient, *sections))
    assert said[3:] == [
        "A new entry of the allowlist is usable 24 hours after its change took effect.",
        "A frozen coin stays; only a cancel may spend it.",
        "An address of ours may hold any amount.",
        "An address of ours may be paid more than once.",
        "Payments to others are forbidden.",
        "A move within the vault is forbidden.",
        "A bump, which pays the same again at a higher fee, is forbidden.",
        "A cancel, which takes a payment back by spending its coins to ourselves, is forbidden.",
        "There is no emergency path.",
    ]
    edits = [
        put("payment.tiers.1.up_to", "unlimited"),
        put("payment.unlisted", "large"),
        put("cancel.approvals", "none"),
        put("cancel.locktime", "any"),
        put("cancel.replaceable", "any"),
        put("cancel.fee", {"max": "unlimited", "max_rate": "unlimited", "max_percent": "unlimited"}),
        put("emergency.0.while_suspended", False),
    ]
    text = "\n".join(explain_policy(bank(*edits)))
    for words in (
        "Payments above 10 BTC (1,000,000,000 sat) up to any amount, fee included (tier `large`)",
        "A destination outside the allowlist lifts a payment to tier `large` at least.",
        "needs nobody's approval; signing may begin at any hour",
        "It pays a fee of any amount, any rate and any share, spends 1 to 100 coins",
        "has any locktime, may signal replacement,",
        "It is closed while spending is suspended.",
    ):
        assert words in text
    assert "A bump counts" not in "\n".join(explain_policy(bank(drop("payment"))))
    assert "A bump counts" not in "\n".join(explain_policy(bank(drop("bump"))))


def test_a_decision_in_sentences() -> None:
    allowed = explain_decision(decide(a_payment(), a_history(("amir", 3), ("bilal", 2))))
    assert allowed[0] == "Yes: the policy allows it."
    assert allowed[1] == "fine: spending is not suspended (suspension)"
    waiting = explain_decision(decide(a_payment(), a_history(("amir", 3)), Gate.SIGN))
    assert waiting[:2] == [
        "Not yet: something is still missing.",
        "missing: 1 more approval: it needs 2 approver, each a different person; approved so far by amir "
        "(payment.tiers.routine.approvals)",
    ]
    assert waiting[-1] == "who can give `payment.tiers.routine.approvals`: bilal, chanda"
    timed = explain_decision(decide(a_payment(600 * BTC), a_history(("amir", 3), ("bilal", 3), ("esma", 3)), Gate.SIGN))
    assert not [line for line in timed if line.startswith("who can give")]
    denied = explain_decision(decide(a_payment(locktime=900_001), a_history(("amir", 3)), Gate.DRAFT))
    assert denied[:2] == [
        "No: the policy forbids it.",
        "forbidden: locktime 900001 is not a height of at most the tip's, 900000 (payment.locktime)",
    ]
    assert denied[2].startswith("missing: ")
