import json
import random

import pytest

from maos.evidence import Evidence, with_engines, with_labels
from maos.evidence_check import check_evidence
from maos.evidence_text import Censor
from tasks.evidence import checksums
from tests.evidence_file import (
    FILE,
    Place,
    among_foreign_rows,
    at,
    changed_at,
    document,
    leaves,
    of_a_paid_run,
    other_than,
    removed_at,
    sealed,
    verdict,
)

# What the chain binds nothing of, so that only the seal shows a change: the file's own name and time, where a run
# stands in its process, and when and how people decided.
ONLY_SEALED = {
    *("audience", "format", "issued_at", "org", "seal", "version", "vendor_details", "withheld"),
    *("run.attempt", "run.budget_cap_usd", "run.code_version", "run.completed_at", "run.epoch", "run.gate_kind"),
    *("run.gate_refusal", "run.gate_round", "run.held_at", "run.held_by", "run.lease_expires_at", "run.paused_at"),
    *("run.pins", "run.recoveries", "run.rules_digest", "run.waited_seconds"),
    *("approvals.choice", "approvals.consumed_at", "approvals.cost_ceiling_usd", "approvals.decided_at"),
    *("approvals.decided_via", "approvals.expires_at", "approvals.identity_verified", "approvals.note"),
    *("approvals.outcome_on_expiry", "approvals.preview", "approvals.version"),
    *("approvals.votes",),
    *("plan_revisions.proposed_by", "plan_revisions.reason", "plan_revisions.recorded_at"),
}
# Left out, each means what it says here.
MEANS_THE_SAME = {"plan_revisions.plan", "chain.links"}


def _named(place: Place) -> str:
    return ".".join(str(part) for part in place if isinstance(part, str))


# One place of each kind: the last one, whose attempts and rows have most to say.
PLACES = list({_named(place): place for place in leaves(document())}.values())


def _is_only_sealed(place: Place) -> bool:
    return any(f"{_named(place)}.".startswith(f"{name}.") for name in ONLY_SEALED)


def test_the_evidence_of_a_real_run_holds() -> None:
    found = check_evidence(FILE.read_bytes())

    assert (found.finding, found.notes) == (None, ())


def test_any_change_of_the_file_is_found() -> None:
    for place in PLACES:
        for changed in (changed_at(place, other_than(at(document(), place))), removed_at(place)):
            content = json.dumps(changed, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
            assert check_evidence(content.encode()).finding, place


def test_a_change_of_what_the_audit_log_binds_is_found_though_the_seal_is_mended() -> None:
    unfound = [
        _named(place)
        for place in PLACES
        if not _is_only_sealed(place) and verdict(changed_at(place, other_than(at(document(), place)))).finding is None
    ]

    assert unfound == []


def test_a_removal_of_what_the_audit_log_binds_is_found_though_the_seal_is_mended() -> None:
    unfound = {
        _named(place) for place in PLACES if not _is_only_sealed(place) and verdict(removed_at(place)).finding is None
    }

    assert {name for name in unfound if not name.startswith(tuple(MEANS_THE_SAME))} == set()


@pytest.mark.parametrize("name", ["plan_revisions", "invocations", "approvals", "artifacts"])
def test_a_part_that_is_left_out_is_found(name: str) -> None:
    whole = document()
    assert whole[name]
    whole[name] = whole[name][:-1]

    assert verdict(whole).finding is not None


LIES = [
    (("approvals", 0, "payload", "parameters", "text"), "else", "its digest is not that of its payload"),
    (("approvals", 0, "policy", "self_approval"), True, "the audit log does not have its request as it is here"),
    (("approvals", 0, "decided_by"), "author@demo.example", "the audit log does not have its decision by author@demo"),
    (("approvals", 0, "approvals_required"), 2, "it is approved with 1 votes for it and takes 2"),
    (("approvals", 0, "votes", 0, "voter"), "x@demo.example", "the audit log does not have the vote of x@demo.example"),
    (("approvals", 0, "votes", 0, "decision"), "reject", "the audit log does not have the vote of reviewer@demo"),
    (("approvals", 0, "votes"), [], "it is approved with 0 votes for it and takes 1"),
    (("approvals", 0, "consumed_at"), None, "ran under an approval that is not used up"),
    (("approvals", 0, "status"), "rejected", "it is rejected, and nobody voted against it"),
    (("plan_revisions", 1, "plan", "parallelism"), 1, "its digest is not that of its plan"),
    (("invocations", 0, "cost_usd"), "0.5", "it is not as the audit log recorded it"),
    (("invocations", 0, "output_digest"), "0" * 64, "it is not as the audit log recorded it"),
    (("totals", "cost_usd"), "1", "they are not the sums of what was settled and consumed"),
    (("artifacts", 0, "sha256"), "0" * 64, "they are not those that the invocations list"),
    (("artifacts", 0, "found"), "changed", "it was no longer what its step made when the evidence was written"),
    (("run", "status"), "failed", "the audit log does not say that it ended as failed"),
    (("run", "rehearsal"), True, "it is not as the audit log says that it was opened"),
    (("chain", "links", 2, "row", "summary"), "else", "the row was changed after it was written"),
    (("chain", "links", 2, "sequence"), 9, "the row says another sequence"),
    (("chain", "previous_hash"), "1" * 64, "the row does not follow the one before it"),
    (("chain", "head"), "1" * 64, "its head is not the hash of the last link"),
]


@pytest.mark.parametrize(("place", "lie", "reason"), LIES)
def test_the_first_thing_that_does_not_hold_is_named(place: Place, lie: object, reason: str) -> None:
    finding = verdict(changed_at(place, lie)).finding

    assert finding is not None
    assert reason in finding.reason


def test_money_has_to_add_up() -> None:
    assert verdict(of_a_paid_run()).finding is None

    assert _lie_about_money("usage_entries", [])[0].startswith("invocation ")
    unsettled = of_a_paid_run()["usage_entries"][:1]
    assert _lie_about_money("usage_entries", unsettled)[1] == "its cost is not what was settled for it"
    extra = [*of_a_paid_run()["usage_entries"], of_a_paid_run()["usage_entries"][1] | {"kind": "correct"}]
    assert _lie_about_money("usage_entries", extra)[1] == "corrections and the audit log differ"
    foreign = [*of_a_paid_run()["usage_entries"], of_a_paid_run()["usage_entries"][0] | {"invocation_id": "other"}]
    assert _lie_about_money("usage_entries", foreign)[1] == "one is of an invocation that is not here"
    less = of_a_paid_run()["totals"] | {"cost_usd": "0.2"}
    assert _lie_about_money("totals", less)[1] == "they are not the sums of what was settled and consumed"


def _lie_about_money(name: str, lie: object) -> tuple[str, str]:
    finding = verdict(of_a_paid_run() | {name: lie}).finding
    assert finding is not None
    return finding.place, finding.reason


def test_two_hundred_random_changes_of_bytes_are_found() -> None:
    chance, whole = random.Random(5), FILE.read_bytes()  # noqa: S311 - chance, not secrecy
    for _ in range(200):
        changed, place = bytearray(whole), chance.randrange(len(whole))
        if chance.random() < 0.3:
            del changed[place : place + chance.randrange(1, 300)]
        else:
            changed[place] = chance.choice([byte for byte in range(256) if byte != whole[place]])

        assert check_evidence(bytes(changed)).finding is not None, (place, changed[place - 20 : place + 20])


def test_a_head_that_is_known_from_elsewhere_is_compared() -> None:
    head = document()["chain"]["head"]

    assert check_evidence(FILE.read_bytes(), known_head=head).finding is None
    finding = check_evidence(FILE.read_bytes(), known_head="0" * 64).finding
    assert finding is not None
    assert finding.reason == "its head is not the known one"


def test_the_place_of_rows_among_others_is_proven_without_showing_those() -> None:
    whole = among_foreign_rows(old=False)

    assert "nobody" not in json.dumps(whole["chain"])
    assert (verdict(whole).finding, verdict(whole).notes) == (None, ())
    for change in ({"content": "0" * 64}, {"sequence": 40}, {"content": None}):
        forged = among_foreign_rows(old=False)
        forged["chain"]["links"][3] |= change
        assert verdict(forged).finding is not None, change
    shorter = among_foreign_rows(old=False)
    del shorter["chain"]["links"][3]
    assert verdict(shorter).finding is not None


def test_links_of_the_first_releases_are_said_to_be_stated_only() -> None:
    found = verdict(among_foreign_rows(old=True))

    assert found.finding is None
    assert found.notes == ("9 links are of the first releases, whose place can only be stated",)


def test_what_was_taken_out_for_its_readers_is_said() -> None:
    whole = document()
    whole["approvals"][0]["payload"]["parameters"]["text"] = "[engine]"
    whole["withheld"] = ["/approvals/0/payload/parameters/text"]

    found = verdict(whole)

    assert found.finding is None
    assert found.notes == ("withheld, so that its digest cannot be computed: /approvals/0/payload/parameters/text",)


def test_a_censor_remembers_where_it_took_something_out() -> None:
    censor = Censor(lambda text: text.replace("Claude", "[engine]"))

    clean = censor.clean({"a": [1, None, "by Claude"], "Claude/x": "b", "c": True})

    assert clean == {"a": [1, None, "by [engine]"], "[engine]/x": "b", "c": True}
    assert censor.withheld == ["/a/2", "/[engine]~1x"]


def test_engines_stand_under_labels_and_come_back_for_their_digests() -> None:
    plan = {"parallelism": 1, "steps": [{"engine": "claude_cli", "parameters": {"engine": "claude_cli"}}]}

    assert with_labels(plan)["steps"] == [{"engine": "writer", "parameters": {"engine": "claude_cli"}}]
    assert with_engines(with_labels(plan)) == plan
    assert with_engines(with_labels({"engine": "gemini_image"})) == {"engine": "gemini_image"}
    several = {"covers": [{"engine_type": "deep_agent", "payload": {"engine": "deep_agent"}}]}
    assert with_labels(several) == {"covers": [{"engine_type": "researcher", "payload": {"engine": "researcher"}}]}
    assert with_engines(with_labels(several)) == several


def test_an_approval_of_several_payloads_covers_exactly_those() -> None:
    whole = document()
    (asked,) = whole["approvals"]
    covers = [{"digest": asked["digest"], "engine_type": "service", "payload": asked["payload"]}]
    granting = asked | {"payload": {"covers": covers}, "votes": [], "id": "other", "status": "approved"}
    whole["approvals"] = [asked | {"granted_by": "other", "votes": []}, granting]

    # What is left to find fault with is the approval that grants: the audit log has none like it.
    finding = verdict(whole).finding
    assert finding is not None
    assert finding.place == "approval other"
    covers[0]["digest"] = "0" * 64
    finding = verdict(whole).finding
    assert finding is not None
    assert finding.reason == "the approval that is said to have granted it does not cover it"


def test_a_file_names_no_file_outside_of_the_folder_it_is_checked_against() -> None:
    whole = document()
    for names in (whole["artifacts"], *(attempt["artifacts"] for attempt in whole["invocations"])):
        for file in names:
            file["name"] = "../" * 20 + "etc/passwd"
    evidence = Evidence.model_validate_json(sealed(whole))

    assert set(checksums(evidence, FILE.parent).values()) == {None}


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"\xff", b'{"format": "other"}', b"null"])
def test_what_is_no_evidence_is_refused_in_words(content: bytes) -> None:
    assert check_evidence(content).finding is not None
