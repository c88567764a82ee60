"""The SQL that reads text columns as numbers and dates, in whatever way their values are written."""

from maos.readings import PLAIN, DateOrder, DecimalSign, Reading

# Guards of a pattern are three times faster than failing casts, and refuse what only the engine calls a number or date.
PLAIN_NUMBER = r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]{1,2})?"
# A year outside two centuries either way is a slip of the pen, and would stretch a trend beyond use.
_YEAR = r"(?:1[89]|2[01])[0-9]{2}"
YEAR_FIRST = _YEAR + r"[-/][0-9]{1,2}[-/][0-9]{1,2}([ T].*)?"
YEAR_AND_MONTH = _YEAR + r"-[0-9]{2}"
DOTTED_DAY = r"[0-9]{1,2}\.[0-9]{1,2}\." + _YEAR
_TIME = r"(?:[ T][0-9]{1,2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]+)?)?(?: ?[AaPp][Mm])?)?"
SLASHED_DAY = rf"([0-9]{{1,2}})[/-]([0-9]{{1,2}})[/-]({_YEAR}){_TIME}"
_MONTH_NAME = (
    r"(?i:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?"
    r"|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\.?"
)
_DAY_NUMBER = r"[0-9]{1,2}(?:st|nd|rd|th|\.)?"
NAMED_DAY = rf"{_DAY_NUMBER}[ -]{_MONTH_NAME},?[ -]{_YEAR}|{_MONTH_NAME} {_DAY_NUMBER},? {_YEAR}"
# Day, first letters of the month and year of what is a day with a named month.
_DAY_AND_NAME = rf"^([0-9]{{1,2}})[a-z.]*[ -]([A-Za-z]{{3}})[A-Za-z.,]*[ -]({_YEAR})$"
_NAME_AND_DAY = rf"^([A-Za-z]{{3}})[A-Za-z.]* ([0-9]{{1,2}})[a-z.,]* ({_YEAR})$"

# What is written before or behind a number of each currency.
CURRENCIES: dict[str, str] = {
    "CHF": r"CHF|SFr\.|Fr\.",
    "EUR": "€|EUR",
    "GBP": "£|GBP",
    "JPY": "¥|JPY",
    "USD": r"US\$|\$|USD",
}
# No-break, narrow and thin spaces.
_SPACES = r" \x{A0}\x{202F}\x{2009}"
_SPACE = f"[{_SPACES}]?"
_APART_BY = _SPACES + r"'\x{2019}"
_APART = f"[{_APART_BY}]"
# At the end of a set: between two others it would make them a range.
_MINUS = "\u2212-"
_GROUPED = rf"[1-9][0-9]{{0,2}}(?:{_APART}[0-9]{{3}})+"
_BODY = rf"([0-9][0-9.,{_APART_BY}]*[0-9]|[0-9]|[.,][0-9]+)"
# Digits alone, or apart in threes: the same number under either decimal sign.
_WHOLE = rf"[0-9]+|{_GROUPED}"
AMBIGUOUS = r"[1-9][0-9]{0,2}[.,][0-9]{3}"
AMBIGUOUS_PLAIN = r"[-+]?[1-9][0-9]{0,2}\.[0-9]{3}"


def number_of(column: str, reading: Reading = PLAIN) -> str:
    """Return the SQL that reads a text column as numbers, null where a value is none.

    18 digits before the point: the sum of ten billion of them still fits into 38.
    """
    plain, as_written = matches(column, PLAIN_NUMBER), plain_number_of(column)
    if reading.decimal is None:
        return f"CASE WHEN {plain} THEN {as_written} END"
    if reading.decimal == ",":
        plain += f" AND NOT {matches(column, AMBIGUOUS_PLAIN)}"
    body, other = body_of(column, reading.currency), other_sign(reading.decimal)
    digits = (
        f"CASE WHEN {matches(body, only(other))} THEN {_digits(body, other)}"
        f" WHEN {matches(body, ANY_NUMBER)} THEN {_digits(body, reading.decimal)} END"
    )
    minus = f"CASE WHEN regexp_matches({column}, '[({_MINUS}]') THEN '-' ELSE '' END"
    return f"CASE WHEN {plain} THEN {as_written} ELSE TRY_CAST({minus} || {digits} AS DECIMAL(28, 10)) END"


def plain_number_of(column: str) -> str:
    """Return the SQL that reads a text column as numbers, all of whose values fit the plain pattern."""
    return f"TRY_CAST({column} AS DECIMAL(28, 10))"


def date_of(column: str, reading: Reading = PLAIN) -> str:
    """Return the SQL that reads a text column as dates, null where a value is none."""
    plain = (
        f"CASE WHEN {matches(column, YEAR_FIRST)} THEN TRY_CAST(TRY_CAST({column} AS TIMESTAMP) AS DATE)"
        f" WHEN {matches(column, YEAR_AND_MONTH)} THEN TRY_CAST({column} || '-01' AS DATE)"
        f" WHEN {matches(column, DOTTED_DAY)} THEN TRY_CAST(try_strptime({column}, '%d.%m.%Y') AS DATE)"
    )
    if reading.date_order is None:
        return f"{plain} END"
    day_first, month_first = "%d/%m/%Y", "%m/%d/%Y"
    own, other = (day_first, month_first) if reading.date_order is DateOrder.DAY_FIRST else (month_first, day_first)
    slashed = _rewritten(column, f"^{SLASHED_DAY}$", r"\1/\2/\3")
    named = _rewritten(_rewritten(column, _DAY_AND_NAME, r"\1 \2 \3"), _NAME_AND_DAY, r"\2 \1 \3")
    return (
        f"{plain} WHEN {matches(column, SLASHED_DAY)}"
        f" THEN CAST(coalesce(try_strptime({slashed}, '{own}'), try_strptime({slashed}, '{other}')) AS DATE)"
        f" WHEN {matches(column, NAMED_DAY)} THEN CAST(try_strptime({named}, '%d %b %Y') AS DATE) END"
    )


def slashed_part(column: str, part: int) -> str:
    """Return the SQL of the first or second number of a date with slashes."""
    return f"TRY_CAST(regexp_extract({column}, '^{SLASHED_DAY}$', {part}) AS INTEGER)"


def body_of(column: str, *currencies: str | None) -> str:
    """Return the SQL that takes sign, accountants' brackets and these currencies off; other text stays as it is."""
    names = "|".join(CURRENCIES[code] for code in currencies if code)
    return _rewritten(column, f"^(?:{_shell(names)})$", r"\1\2\3\4")


def only(sign: DecimalSign) -> str:
    """Return the pattern of numbers in which the decimal sign can only be this one."""
    decimal, thousands = (r"\.", ",") if sign == "." else (",", r"\.")
    grouped = rf"[1-9][0-9]{{0,2}}(?:{thousands}[0-9]{{3}})"
    return (
        rf"{grouped}+{decimal}[0-9]+|{grouped}{{2,}}|{_GROUPED}{decimal}[0-9]+|{decimal}[0-9]+"
        rf"|[0-9]+{decimal}(?:[0-9]{{1,2}}|[0-9]{{4,}})|(?:0[0-9]*|[0-9]{{4,}}){decimal}[0-9]{{3}}"
    )


# A number without sign and currency, written in any way.
ANY_NUMBER = f"{_WHOLE}|{AMBIGUOUS}|{only('.')}|{only(',')}"


def matches(text: str, pattern: str) -> str:
    """Return the SQL that says whether the whole of a text is like a pattern."""
    return f"regexp_full_match({text}, {_literal(pattern)})"


def other_sign(sign: DecimalSign) -> DecimalSign:
    """Return the decimal sign that it is not."""
    return "," if sign == "." else "."


def _shell(currencies: str) -> str:
    name, signs = f"(?:{currencies})", f"[+{_MINUS}]"
    before, behind = f"(?:{name}{_SPACE})?", f"(?:{_SPACE}{name})?"
    return (
        f"{signs}?{_SPACE}{before}{_BODY}{behind}|{name}{_SPACE}{signs}{_SPACE}{_BODY}"
        rf"|{before}{_BODY}{behind}{_SPACE}[{_MINUS}]|\({_SPACE}{before}{_BODY}{behind}{_SPACE}\)"
    )


def _digits(body: str, sign: DecimalSign) -> str:
    grouping = _literal(f"[{other_sign(sign)}{_APART_BY}]")
    bare = f"regexp_replace({body}, {grouping}, '', 'g')"
    return bare if sign == "." else f"replace({bare}, ',', '.')"


def _rewritten(text: str, pattern: str, form: str) -> str:
    return f"regexp_replace({text}, {_literal(pattern)}, '{form}')"


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
