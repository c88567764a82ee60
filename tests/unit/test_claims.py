"""Every number, date and name of a text is traced to a given fact, in each language, or it is flagged."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maos.claim_sentences import sentences_of
from maos.claims import Claim, ClaimStatus, claims_of
from maos.content import Paragraph, Section, WrittenContent
from maos.content_brief import Language
from tests.contents import brief, text


def only(sentence: str, *facts: str, language: str = "en", names: tuple[str, ...] = ()) -> Claim:
    known = brief(language=language, facts=[{"text": fact, "source": "-"} for fact in facts])
    (claim,) = claims_of(text(sentence, title="-", names=names), known)
    return claim


@pytest.mark.parametrize(
    ("language", "sentence", "fact"),
    [
        ("en", "It roasts 1,200 tonnes.", "It roasts 1,200 tonnes."),
        ("en", "It roasts 1.2 thousand tonnes.", "It roasts 1,200 tonnes."),
        ("en", "Revenue was €41.5m.", "Revenue was 41.5 million euros."),
        ("en", "Revenue was about 42 million euros.", "Revenue was EUR 41,500,000."),
        ("en", "Revenue rose by 8.2 percent.", "Revenue rose by 8.2%."),
        ("en", "It has twelve shops.", "There are 12 shops."),
        ("en", "It opens on January 12, 2027.", "It opens on 2027-01-12."),
        ("en", "It opens in January 2027.", "It opens on 12 January 2027."),
        ("en", "It opens in 2027.", "It opens on 12 January 2027."),
        ("en", "The head is Anna Berg.", "Anna Berg is its head."),
        ("en", "We asked Nordwind's head.", "Nordwind has a head."),
        ("en", "They asked IKEA.", "IKEA was asked."),
        ("en", "It came after COVID-19.", "COVID-19 was before."),
        ("de", "Der Umsatz stieg auf 41,5 Mio. Euro.", "Umsatz: 41,5 Millionen Euro"),
        ("de", "Sie röstet 1.200 Tonnen Kaffee.", "Bis zu 1.200 Tonnen Kaffee"),
        ("de", "Sie öffnet am 12. Januar 2027.", "Eröffnung am 12.01.2027"),
        ("de", "Sie öffnet am 12. Januar 2027.", "It opens on 12 January 2027."),
        ("de", "Der Umsatz stieg um 8,2 Prozent.", "Umsatz up by 8.2%."),
        ("de", "Der Umsatz war 41,5 Mio. Euro.", "Umsatz: 41.5 million euros."),
        ("de", "Das sagt Frau Berg.", "Frau Berg sagt es."),
        ("de", "Das sagt die Leiterin Anna Berg.", "Die Leiterin Anna Berg sagt es."),
        ("fr", "Elle a investi 2,5 millions d'euros le 3 mars 2024.", "2,5 millions d'euros investis le 3 mars 2024"),
        ("es", "Invirtió 2,5 millones de euros el 3 de marzo de 2024.", "Invirtió 2,5 millones de euros el 3/3/2024"),
        ("it", "Ha investito 2,5 milioni di euro il 3 marzo 2024.", "Investiti 2,5 milioni di euro il 3 marzo 2024"),
    ],
)
def test_what_a_fact_says_is_traced_to_it(language: str, sentence: str, fact: str) -> None:
    claim = only(sentence, "Nothing of it.", fact, language=language)

    assert (claim.status, claim.facts, claim.missing) == (ClaimStatus.TRACED, ("f2",), ())


@pytest.mark.parametrize(
    ("language", "sentence", "fact", "missing"),
    [
        ("en", "It roasts 1,300 tonnes.", "It roasts 1,200 tonnes.", "1,300"),
        ("en", "It roasts 1.2 tonnes.", "It roasts 1,200 tonnes.", "1.2"),
        ("en", "Revenue rose by 8.3%.", "Revenue rose by 8.2%.", "8.3%"),
        # Another unit is another claim.
        ("en", "Revenue rose by 8.2%.", "Revenue rose by 8.2 million euros.", "8.2%"),
        ("en", "It costs 12 dollars.", "It costs 12 euros.", "12 dollars"),
        ("en", "It has 12 shops.", "It opens on 12 January.", "12"),
        ("en", "It opens on 13 January 2027.", "It opens on 12 January 2027.", "13 January 2027"),
        # More exact than what is known.
        ("en", "It opens on 12 January 2027.", "It opens in January 2027.", "12 January 2027"),
        ("en", "It opens in May.", "It may open.", "May"),
        ("en", "The head is Anna Berg.", "Anna Müller is the head of Berg.", "Anna Berg"),
        ("en", "They asked Siemens.", "They were asked.", "Siemens"),
        ("en", "It has 1,2,3 shops.", "It has 123 shops.", "1,2,3"),
        ("de", "Der Umsatz war 41.5 Euro.", "Umsatz: 41,5 Euro", "41.5"),
        # What is a thousand times as much in English.
        ("de", "Sie röstet 1,2 Tonnen.", "Sie röstet 1.200 Tonnen.", "1,2"),
        ("de", "Das sagt Max Mustermann.", "Das sagt Anna.", "Max Mustermann"),
        ("de", "Das sagt Frau Meier.", "Das sagt Anna.", "Meier"),
        ("fr", "Le siège est à Paris.", "Le siège est à Lyon.", "Paris"),
        ("es", "Vendió 12 mil tazas.", "Vendió 12 tazas.", "12 mil"),
        ("it", "Ha 12 negozi.", "Ha 13 negozi.", "12"),
    ],
)
def test_what_no_fact_says_is_flagged_with_the_very_words(
    language: str, sentence: str, fact: str, missing: str
) -> None:
    claim = only(sentence, fact, language=language)

    assert claim.status is ClaimStatus.UNTRACED
    assert missing in claim.missing


def test_a_number_that_counts_something_else_is_loose() -> None:
    claim = only("There are 48 shops.", "It has 48 employees.")

    assert (claim.status, claim.facts) == (ClaimStatus.LOOSE, ("f1",))


def test_a_sentence_without_number_date_or_name_claims_nothing() -> None:
    assert claims_of(text("Coffee is good. You may come. I like it.", title="We Roast Our Own Coffee"), brief()) == ()


def test_a_german_noun_is_no_name_by_its_capital_letter_alone() -> None:
    known = brief(language="de")

    assert claims_of(text("Die Rösterei hat viele Kunden. Neue Arbeitsplätze entstehen.", title="Neues"), known) == ()


def test_a_name_that_only_its_writer_knows_for_one_is_traced_as_well() -> None:
    claim = only("Siemens baut in Berlin mit.", "Es wird gebaut.", language="de", names=("Siemens", "Berlin", "Rom"))

    # What the text does not name is not held against it.
    assert claim.missing == ("Siemens", "Berlin")


def test_a_claim_of_two_facts_names_both_and_a_cited_one_goes_first() -> None:
    known = brief(facts=[{"text": each, "source": "-"} for each in ("It has 48 beds.", "It has 48 beds, and 12 cats.")])
    written = WrittenContent(
        title="-", sections=(Section(paragraphs=(Paragraph(text="It has 48 beds.", facts=("f2",)),)),)
    )

    assert claims_of(written, known)[0].facts == ("f2",)
    assert only("With 48 beds and Anna Berg.", "It has 48 beds.", "Anna Berg works there.").facts == ("f1", "f2")


def test_what_the_brief_itself_says_is_given() -> None:
    (claim,) = claims_of(text("Open on Saturday."), brief(must_say=["Open on Saturday"]))

    assert (claim.status, claim.facts) == (ClaimStatus.TRACED, ("brief",))


def test_a_source_may_be_named() -> None:
    assert only("So says the Energy Report 2025.", "It is green.", language="en").missing == ("2025", "Energy Report")
    known = brief(facts=[{"text": "It is green.", "source": "Energy Report 2025"}])
    (claim,) = claims_of(text("So says the Energy Report 2025."), known)
    assert claim.status is ClaimStatus.TRACED


@pytest.mark.parametrize(
    ("written", "sentences"),
    [
        ("One. Two! Three?", ["One.", "Two!", "Three?"]),
        ("Dr. Meier came. So did St. Pauli.", ["Dr. Meier came.", "So did St. Pauli."]),
        ("Am 12. Januar kam er. Gut.", ["Am 12. Januar kam er.", "Gut."]),
        ("It costs 1.5 million. “Fine.” He left.", ["It costs 1.5 million.", "“Fine.”", "He left."]),
        ("No end", ["No end"]),
        (" ", []),
    ],
)
def test_a_text_is_taken_apart_into_sentences(written: str, sentences: list[str]) -> None:
    found = sentences_of(written)

    assert [each.strip("“”") for each in found] == [each.strip("“”") for each in sentences]


@given(st.text(max_size=300), st.sampled_from(Language))
def test_no_text_breaks_the_search_and_no_digit_passes_untraced(written: str, language: Language) -> None:
    known = brief(language=language, facts=[{"text": "Nothing.", "source": "-"}], about="Nothing at all")

    claims = claims_of(text(written or "-", title="-"), known)

    digits = {char for char in written if char.isdigit()}
    assert not digits or any(claim.status is ClaimStatus.UNTRACED for claim in claims)
