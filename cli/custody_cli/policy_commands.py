"""`custody policy …`: check, test, explain and compare a written spend policy; adopt it; suspend and resume."""

from collections.abc import Iterable
from pathlib import Path

import click

from custody.audit.change_rules import officer_facts
from custody.codes import Code
from custody.documents.strict_yaml import MAX_BYTES
from custody.errors import Conflict, Finding, InvalidInput, refusals
from custody.people.change import ChangeKind, Payload
from custody.policy.check import check_policy
from custody.policy.diff import diff_policies
from custody.policy.explain import explain_decision, explain_policy
from custody.policy.model import SpendPolicy
from custody.workflow.change_governance import propose_change
from custody.workflow.office import Office, decide_again, open_office
from custody.workflow.policy_documents import read_policy, run_policy_cases
from custody.workflow.proposal_access import find_proposal
from custody.workflow.proposal_view import view_proposal
from custody.workflow.share import policy_to_share
from custody_cli.change_commands import sign_and_record
from custody_cli.change_screen import change_answer
from custody_cli.loading import workspace_of
from custody_cli.options import STDIO, NounGroup, examples, read_input
from custody_cli.output import Answer, Line, Style, Styled, finding_lines, findings_json
from custody_cli.session import Session
from custody_cli.share_output import shared_answer
from custody_cli.statement_options import require_one_way, signature_options
from custody_cli.system import surroundings_of


@click.group(
    cls=NounGroup,
    epilog=examples(
        "custody policy template central-bank > policy.yaml",
        "custody policy check policy.yaml && custody policy test .",
        "custody --vault reserve policy adopt policy.yaml --reason 'yearly review'",
        "custody --vault reserve policy explain",
    ),
)
def policy() -> None:
    """The spend policy: who may spend what, written down, tested, adopted by the people it binds."""


@policy.command(epilog=examples("custody policy check policy.yaml", "custody policy check - < policy.yaml"))
@click.argument("file", metavar="FILE")
@click.pass_obj
def check(session: Session, file: str) -> Answer:
    """Read a policy and list what is wrong or probably not meant. Exit 6 if it is no policy, 3 if a finding refuses.

    In a vault's folder the officers in force are counted too: what nobody could complete is found.
    """
    read = _read(file)
    office = _office_or_none(session)
    gov = None if office is None else office.state.governance
    officers = () if gov is None else officer_facts({**gov.named, **gov.officers})
    findings = check_policy(read, officers or None)
    return _checked(read, findings)


@policy.command(epilog=examples("custody policy test", "custody policy test policies --json"))
@click.argument("folder", metavar="[DIR]", required=False, type=click.Path(path_type=Path))
def test(folder: Path | None) -> Answer:
    """Run the cases beside the policies in DIR. Exit 3 if one doesn't hold."""
    tests = run_policy_cases(folder or Path())
    failed: list[Finding] = [
        found for one in tests for result in one.results if (found := result.to_finding()) is not None
    ]

    def lines() -> Iterable[Line]:
        for one in tests:
            held = sum(result.problem is None for result in one.results)
            style = Style.GOOD if held == len(one.results) else Style.BAD
            yield Styled(
                f"{one.policy.name} version {one.policy.version}: {held} of {len(one.results)} cases hold", style
            )
            for result in one.results:
                yield f"  {'ok  ' if result.problem is None else 'FAIL'} {result.case.name}"
        yield from finding_lines(failed)

    return Answer(
        {
            "ok": not failed,
            "policies": [
                {
                    "name": one.policy.name,
                    "version": one.policy.version,
                    "digest": one.policy.digest,
                    "cases": [
                        {"name": result.case.name, "ok": result.problem is None, "decision": result.decision.to_json()}
                        for result in one.results
                    ],
                }
                for one in tests
            ],
            "findings": findings_json(failed),
        },
        lines,
        3 if failed else 0,
    )


@policy.command(
    epilog=examples(
        "custody policy explain",
        "custody policy explain --file policy.yaml",
        "custody policy explain --proposal 3f9a21c07be4d512",
    )
)
@click.option("--file", metavar="FILE", help="Explain this policy instead of the one in force.")
@click.option("--proposal", "named", metavar="ID", help="Say what this proposal needs, and what each rule says to it.")
@click.pass_obj
def explain(session: Session, file: str | None, named: str | None) -> Answer:
    """Say the whole policy in plain sentences, or what it says to one proposal."""
    if named is not None:
        office = open_office(workspace_of(session))
        view = view_proposal(office.state, office.vault, find_proposal(office.state, named))
        sentences = explain_decision(view.decision)
        return Answer(
            {"proposal_id": view.proposal_id, "decision": view.decision.to_json(), "sentences": [*sentences]},
            lambda: sentences,
        )
    read = _read(file) if file is not None else _in_force(open_office(workspace_of(session)))
    sentences = explain_policy(read)
    return Answer({**_named(read), "sentences": [*sentences]}, lambda: (*sentences, f"digest {read.digest}"))


@policy.command(
    epilog=examples("custody policy diff new.yaml", "custody policy diff new.yaml --old old.yaml --json"),
)
@click.argument("new", metavar="NEW")
@click.option("--old", metavar="FILE", help="Compare with this policy instead of the one in force.")
@click.pass_obj
def diff(session: Session, new: str, old: str | None) -> Answer:
    """Show what becomes easier and what harder when NEW takes the place of the policy in force."""
    before = _read(old) if old is not None else _in_force(open_office(workspace_of(session)))
    after = _read(new)
    found = diff_policies(before, after)

    def lines() -> Iterable[Line]:
        yield f"from {before.name} version {before.version} to {after.name} version {after.version}"
        for word, style, sentences in (
            ("EASIER", Style.CARE, found.easier),
            ("HARDER", Style.GOOD, found.harder),
            ("OTHER", Style.FAINT, found.neutral),
        ):
            yield from (Styled(f"{word:<7} {sentence}", style) for sentence in sentences)
        yield "It is provably no weaker." if not found.easier else "What becomes easier waits by the rule in force."

    return Answer(
        {"old": _named(before), "new": _named(after), **found.to_json(), "no_weaker": not found.easier}, lines
    )


@policy.command(epilog=examples("custody policy adopt policy.yaml --reason 'yearly review'"))
@click.argument("file", metavar="FILE")
@click.option("--reason", metavar="TEXT", help="Why; part of what officers sign.")
@click.pass_obj
def adopt(session: Session, file: str, reason: str | None) -> Answer:
    """Propose a policy for adoption: officers sign it under the rule in force and under its own.

    Its version must be above every one adopted before. What becomes easier waits.
    """
    read = _read(file)
    workspace = workspace_of(session)
    return change_answer(
        decide_again(
            workspace,
            surroundings_of(session),
            lambda desk: propose_change(desk, ChangeKind.ADOPT, Payload(policy=read.to_document()), reason=reason),
        )
    )


@policy.command(epilog=examples("custody policy template", "custody policy template central-bank > policy.yaml"))
@click.argument("name", metavar="[NAME]", required=False)
@click.option("--cases", is_flag=True, help="Print the template's cases instead.")
@click.option("--schema", is_flag=True, help="Print the JSON Schema that editors use.")
def template(name: str | None, cases: bool, schema: bool) -> Answer:
    """Print a template to begin with, its cases, or the schema; without a name list them."""
    from custody_policies import templates

    if schema:
        text = templates.schema()
        return Answer({"schema": text}, lambda: (), raw=text.encode())
    if name is None:
        names = templates.template_names()
        return Answer({"templates": [*names]}, lambda: names)
    text = templates.template_cases(name) if cases else templates.template(name)
    return Answer({"name": name, "content": text}, lambda: (), raw=text.encode())


@policy.command(
    epilog=examples("custody policy share -o shared.yaml", "custody policy share policy.yaml --keep-amounts")
)
@click.argument("file", metavar="[FILE]", required=False)
@click.option("--keep-amounts", is_flag=True, help="Keep the limits; they tell how large the reserve is.")
@click.option("-o", "--output", default=STDIO, metavar="FILE", help="A new file; stdout by default.")
@click.pass_obj
def share(session: Session, file: str | None, keep_amounts: bool, output: str) -> Answer:
    """Write the policy in force, or FILE, for a partner: its structure, without any name of ours.

    Only what is known to tell nothing passes; the rest becomes placeholders. What is written is a policy again.
    """
    read = _read(file) if file is not None else _in_force(open_office(workspace_of(session)))
    return shared_answer("policy", policy_to_share(read, keep_amounts=keep_amounts), output)


@policy.command(
    epilog=examples("custody policy suspend --key ~/.ssh/id_ed25519 --reason 'phone call about a payment' --as ann")
)
@click.option("--reason", metavar="TEXT", help="Why; part of what is signed.")
@signature_options
@click.pass_obj
def suspend(session: Session, reason: str | None, key: Path | None, signature: str | None) -> Answer:
    """Stop all spending at once, as one administrator. Only the quorum of the rule in force resumes it.

    With neither --key nor --signature the change is proposed, and signed with `change approve`.
    """
    view = decide_again(
        workspace_of(session),
        surroundings_of(session),
        lambda desk: propose_change(desk, ChangeKind.SUSPEND, Payload(), reason=reason),
    )
    if key is None and signature is None:
        return change_answer(view)
    require_one_way(key, signature)
    return sign_and_record(session, view.record.change.change_id, key, signature, approves=True)


@policy.command(epilog=examples("custody policy resume --reason 'it was a false alarm'"))
@click.option("--reason", metavar="TEXT", help="Why; part of what officers sign.")
@click.pass_obj
def resume(session: Session, reason: str | None) -> Answer:
    """Propose to allow spending again; officers sign it with `change approve`."""
    return change_answer(
        decide_again(
            workspace_of(session),
            surroundings_of(session),
            lambda desk: propose_change(desk, ChangeKind.RESUME, Payload(), reason=reason),
        )
    )


def _read(place: str) -> SpendPolicy:
    return read_policy(read_input(place, max_bytes=MAX_BYTES))


def _in_force(office: Office) -> SpendPolicy:
    found = office.state.governance.policy
    if found is None:
        raise Conflict(
            Code.NOT_FOUNDED,
            "no policy is in force",
            advice="Name a file, or found the vault with `custody vault found --policy FILE`.",
        )
    return found


def _office_or_none(session: Session) -> Office | None:
    """Return the office of the vault that is named or near; checking a policy needs none."""
    try:
        workspace = workspace_of(session)
    except InvalidInput:
        return None
    return open_office(workspace)


def _checked(read: SpendPolicy, findings: tuple[Finding, ...]) -> Answer:
    refused = refusals(findings)

    def lines() -> Iterable[Line]:
        yield f"{read.name} version {read.version}, digest {read.digest}"
        yield from finding_lines(findings)
        if not findings:
            yield Styled("nothing is wrong with it", Style.GOOD)

    return Answer({**_named(read), "ok": not refused, "findings": findings_json(findings)}, lines, 3 if refused else 0)


def _named(read: SpendPolicy) -> "dict[str, str | int]":
    return {"name": read.name, "version": read.version, "digest": read.digest}
