"""Any bytes become a message: read as far as they can be, with everything that was wrong with them."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from maos.mail import FaultKind, ReadMail
from maos.mail_reading import MOST_BYTES, read_mail
from tests.mail_corpus import CORPUS, HEAD, Ugly, mail

OWN = frozenset({"desk@maos.example"})
SMALL = [ugly.content for ugly in CORPUS.values() if len(ugly.content) < 20_000]


def _keepable(message: ReadMail) -> None:
    """Check that the database can keep a message: JSON in UTF-8, without nulls."""
    written = message.model_dump_json()
    assert "\\u0000" not in written
    json.loads(written.encode("utf-8"))


@pytest.mark.parametrize("ugly", CORPUS.values(), ids=CORPUS.keys())
def test_an_ugly_message_is_read_and_its_faults_are_named(ugly: Ugly) -> None:
    message = read_mail(ugly.content, own=OWN)

    _keepable(message)
    assert ugly.faults <= {fault.kind for fault in message.faults}
    assert ugly.text in message.text
    assert ugly.lacks not in message.text
    assert ugly.subject in {None, message.subject}
    assert message.kind is ugly.kind
    assert (message.answer_to is not None) is ugly.answered
    assert message.size == len(ugly.content)


def test_the_corpus_is_as_large_as_promised() -> None:
    assert len(CORPUS) >= 60


def test_a_good_message_has_no_fault() -> None:
    assert read_mail(CORPUS["plain"].content).faults == ()


_EDITS = st.lists(
    st.tuples(
        st.sampled_from(["cut", "insert", "drop", "repeat"]), st.floats(0, 1), st.binary(min_size=1, max_size=12)
    ),
    min_size=1,
    max_size=6,
)


@settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(content=st.sampled_from(SMALL), edits=_EDITS)
def test_no_mutation_of_a_message_breaks_the_reading(content: bytes, edits: list[tuple[str, float, bytes]]) -> None:
    for kind, place, noise in edits:
        at = int(place * len(content))
        content = {
            "cut": content[:at],
            "insert": content[:at] + noise + content[at:],
            "drop": content[:at] + content[at + len(noise) :],
            "repeat": content[:at] + content[at : at + 200] + content[at:],
        }[kind]

    message = read_mail(content, own=OWN)

    _keepable(message)
    assert message.size == len(content)
    assert message.fingerprint
    # Nothing is swallowed without a word.
    assert message.text or message.attachments or message.enclosed or message.faults


@settings(max_examples=100, deadline=None, derandomize=True)
@given(content=st.binary(max_size=600))
def test_no_bytes_break_the_reading(content: bytes) -> None:
    _keepable(read_mail(content))


def test_the_beginning_of_a_message_that_is_too_large_says_how_large_it_is() -> None:
    message = read_mail(CORPUS["plain"].content, cut_from=MOST_BYTES + 1)

    assert message.size == MOST_BYTES + 1
    assert [fault.kind for fault in message.faults] == [FaultKind.TOO_LARGE]
    assert message.text == "Hello"


def test_copies_share_a_fingerprint_whichever_way_they_came() -> None:
    one, other = mail("Hello"), b"Received: from elsewhere\r\n" + mail("Hello")

    assert read_mail(one).fingerprint == read_mail(other).fingerprint
    assert read_mail(one).fingerprint != read_mail(mail("Goodbye")).fingerprint


def test_an_answer_goes_elsewhere_within_the_senders_domain_alone() -> None:
    same = read_mail(mail("Hi", "Reply-To: sales@customer.example\r\n"))
    other = read_mail(mail("Hi", "Reply-To: sales@customer.example, x@bank.example\r\n"))

    assert same.answer_to == "sales@customer.example"
    assert other.answer_to == "ann@customer.example"


def test_a_thread_is_its_first_message() -> None:
    headers = "In-Reply-To: <b@x>\r\nReferences: <a@x>\r\n <b@x>\r\n"

    message = read_mail(mail("Hi", headers))

    assert (message.thread, message.in_reply_to, message.references) == ("<a@x>", "<b@x>", ("<a@x>", "<b@x>"))
    assert read_mail(mail("Hi")).thread == "<one@customer.example>"


def test_ids_that_could_break_a_header_are_not_taken() -> None:
    headers = "References: <ok@x> <a\x01b@x> <ü@x> <" + "y" * 300 + "@x>\r\n"

    assert read_mail(mail("Hi", headers)).references == ("<ok@x>",)


def test_a_long_thread_keeps_its_first_message_and_the_newest() -> None:
    headers = "References: " + " ".join(f"<{number}@x>" for number in range(100)) + "\r\n"

    references = read_mail(mail("Hi", headers)).references

    assert (references[0], references[-1], len(references)) == ("<0@x>", "<99@x>", 30)


def test_a_message_inside_is_told_apart() -> None:
    (inner,) = read_mail(CORPUS["a message inside"].content).enclosed

    assert (inner.subject, inner.sender, inner.text) == ("A question", "ann@customer.example", "INNER")


def test_an_attachment_is_named_and_weighed_and_not_looked_into() -> None:
    (file,) = read_mail(CORPUS["an attachment"].content).attachments

    assert (file.name, file.media_type, file.size) == ("a.zip", "application/zip", 8)


def test_the_head_is_as_it_should_be() -> None:
    # The corpus changes it by its words.
    assert all(part in HEAD for part in ("A question", "ann@customer.example", "03 Nov 2025", "<one@customer.example>"))
