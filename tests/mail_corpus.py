"""Ugly messages, each with what must be said of it and what must still be read of it."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field

from maos.mail import FaultKind, MailKind

HEAD = (
    "From: Ann Example <ann@customer.example>\r\nTo: desk@maos.example\r\nSubject: A question\r\n"
    "Date: Mon, 03 Nov 2025 10:00:00 +0100\r\nMessage-ID: <one@customer.example>\r\n"
)


@dataclass(frozen=True)
class Ugly:
    """A message as it came."""

    content: bytes
    faults: frozenset[FaultKind] = frozenset()
    text: str = ""
    subject: str | None = "A question"
    kind: MailKind = MailKind.PERSON
    answered: bool = True
    lacks: str = field(default="\0", repr=False)


def mail(body: str | bytes, headers: str = "", *, head: str = HEAD) -> bytes:
    """Return a message with a body."""
    raw = body if isinstance(body, bytes) else body.encode()
    return (head + headers + "\r\n").encode("utf-8", errors="surrogateescape") + raw


def _part(body: str, headers: str) -> str:
    return f"--b\r\n{headers}\r\n\r\n{body}\r\n"


def _mixed(*parts: str, end: str = "--b--\r\n", kind: str = "mixed") -> bytes:
    return mail("".join(parts) + end, f'MIME-Version: 1.0\r\nContent-Type: multipart/{kind}; boundary="b"\r\n')


def _text(body: str | bytes, content_type: str, encoding: str = "8bit") -> bytes:
    return mail(body, f"Content-Type: {content_type}\r\nContent-Transfer-Encoding: {encoding}\r\n")


def _page(html: str) -> bytes:
    return _text(html, "text/html; charset=utf-8")


def _changed(old: str, new: str) -> bytes:
    return mail("Hello\r\n", head=HEAD.replace(old, new))


def _deep(levels: int) -> bytes:
    kinds = "".join(f"--b{n}\r\nContent-Type: multipart/mixed; boundary=b{n + 1}\r\n\r\n" for n in range(levels))
    return mail(kinds + f"--b{levels}\r\n\r\nHello\r\n", "Content-Type: multipart/mixed; boundary=b0\r\n")


_PLAIN, _HTML = "Content-Type: text/plain; charset=utf-8", "Content-Type: text/html; charset=utf-8"
_ZIP = "Content-Type: application/zip\r\nContent-Disposition: attachment; filename=a.zip"
_B64 = base64.b64encode("Grüße aus Köln".encode()).decode()
_F = FaultKind

CORPUS: Mapping[str, Ugly] = {
    "plain": Ugly(mail("Hello\r\n"), text="Hello"),
    "bare line feeds": Ugly(mail("Hello\r\n").replace(b"\r\n", b"\n"), text="Hello"),
    "no body": Ugly(mail(""), frozenset({_F.EMPTY})),
    "nothing at all": Ugly(b"", frozenset({_F.EMPTY, _F.NO_SENDER, _F.NO_ID, _F.NO_DATE}), subject="", answered=False),
    "only a body": Ugly(b"\r\nHello\r\n", frozenset({_F.NO_SENDER}), "Hello", "", answered=False),
    "noise": Ugly(bytes(range(256)) * 20, frozenset({_F.NO_SENDER}), subject=None, answered=False),
    "nulls in the body": Ugly(mail(b"He\0llo\r\n"), text="He\N{REPLACEMENT CHARACTER}llo"),
    "nulls in a header": Ugly(_changed("A question", "A \0question"), text="Hello", subject=None),
    "utf-8": Ugly(_text("Grüße", "text/plain; charset=utf-8"), text="Grüße"),
    "utf-8 that names no charset": Ugly(mail("Grüße"), text="Grüße"),
    "latin that says utf-8": Ugly(
        _text("Grüße".encode("latin-1"), "text/plain; charset=utf-8"), frozenset({_F.WRONG_CHARSET}), "Grüße"
    ),
    "utf-8 that says ascii": Ugly(_text("Grüße", "text/plain; charset=us-ascii"), text="Grüße"),
    "windows quotes": Ugly(_text(b"\x93Hi\x94", "text/plain; charset=windows-1252"), text="“Hi”"),
    "utf-16": Ugly(
        _text(base64.b64encode("Grüße".encode("utf-16")), "text/plain; charset=utf-16", "base64"), text="Grüße"
    ),
    "shift-jis": Ugly(_text("こんにちは".encode("shift_jis"), "text/plain; charset=shift_jis"), text="こんにちは"),
    "an unknown charset": Ugly(
        _text("Grüße", "text/plain; charset=x-klingon"), frozenset({_F.UNKNOWN_CHARSET}), "Grüße"
    ),
    "a charset that is none": Ugly(_text("Hi", "text/plain; charset=hex"), frozenset({_F.UNKNOWN_CHARSET}), "Hi"),
    "a charset that takes forever": Ugly(
        _text("a" * 50_000, "text/plain; charset=idna"), frozenset({_F.UNKNOWN_CHARSET, _F.TOO_LONG}), "aaa"
    ),
    "a charset of nonsense": Ugly(_text("Hi", 'text/plain; charset="\\0=?;"'), text="Hi"),
    "quoted printable": Ugly(_text("Gr=C3=BC=C3=9Fe", "text/plain; charset=utf-8", "quoted-printable"), text="Grüße"),
    "broken quoted printable": Ugly(
        _text("Gr=C3=BC=ZZ=\r\n=", "text/plain; charset=utf-8", "quoted-printable"), text="Grü"
    ),
    "base64": Ugly(_text(_B64, "text/plain; charset=utf-8", "base64"), text="Grüße aus Köln"),
    "base64 with noise": Ugly(
        _text(f"!{_B64}!!", "text/plain; charset=utf-8", "base64"), frozenset({_F.BROKEN_ENCODING}), "Grüße aus"
    ),
    "base64 that is cut": Ugly(
        _text(_B64[:-3], "text/plain; charset=utf-8", "base64"), frozenset({_F.BROKEN_ENCODING}), "Grüße aus"
    ),
    "base64 that is text": Ugly(
        _text("not base64 at all", "text/plain", "base64"), frozenset({_F.BROKEN_ENCODING}), subject="A question"
    ),
    "an unknown encoding": Ugly(_text("Hello", "text/plain", "x-rot26"), text="Hello"),
    "uuencode": Ugly(_text("begin 644 a\r\n#0V%T\r\n`\r\nend\r\n", "text/plain", "x-uuencode"), text="Cat"),
    "broken uuencode": Ugly(_text("begin 644 a\r\nM0V%\r\n", "text/plain", "x-uuencode")),
    "an encoded subject": Ugly(_changed("A question", "=?utf-8?q?Gr=C3=BC=C3=9Fe?="), text="Hello", subject="Grüße"),
    "a subject in a wrong charset": Ugly(_changed("A question", "=?utf-8?q?Gr=FC=DFe?="), text="Hello", subject=None),
    "a subject in an unknown charset": Ugly(_changed("A question", "=?x-no?q?Hi?="), text="Hello", subject=None),
    "a subject of raw bytes": Ugly(
        HEAD.replace("A question", "Gr\u00fc\u00dfe").encode("latin-1") + b"\r\nHello", text="Hello", subject="Grüße"
    ),
    "a subject of raw utf-8": Ugly(_changed("A question", "Grüße"), text="Hello", subject="Grüße"),
    "a broken encoded word": Ugly(_changed("A question", "=?utf-8?b?////?= =?utf-8?q?"), text="Hello", subject=None),
    "two subjects": Ugly(mail("Hello", "Subject: Another\r\n"), text="Hello"),
    "an endless subject": Ugly(_changed("A question", "word " * 5000), frozenset({_F.TOO_LARGE}), "Hello", None),
    "two hundred thousand headers": Ugly(mail("Hello", "X-A: y\r\n" * 50_000), frozenset({_F.TOO_LARGE}), "Hello"),
    "a header without a colon": Ugly(mail("Hello", "this is no header\r\n"), subject="A question"),
    "no sender": Ugly(_changed("From: Ann Example <ann@customer.example>\r\n", ""), frozenset({_F.NO_SENDER}), "Hello",
                      answered=False),
    "a sender without an address": Ugly(_changed("Ann Example <ann@customer.example>", "Ann"),
                                        frozenset({_F.NO_SENDER}), "Hello", answered=False),
    "two senders": Ugly(_changed("From: Ann", "From: Bob <bob@x.example>\r\nFrom: Ann"), frozenset({_F.SENDERS}),
                        "Hello", answered=False),
    "two senders in one line": Ugly(_changed("From: Ann", "From: bob@x.example, Ann"), frozenset({_F.SENDERS}),
                                    "Hello", answered=False),
    "an address in another alphabet": Ugly(_changed("ann@customer", "änn@customer"), frozenset({_F.NO_SENDER}),
                                           "Hello", answered=False),
    "answers to somebody else": Ugly(mail("Hello", "Reply-To: victim@bank.example\r\n"),
                                     frozenset({_F.REPLY_ELSEWHERE}), "Hello"),
    "no date": Ugly(_changed("Date: Mon, 03 Nov 2025 10:00:00 +0100\r\n", ""), frozenset({_F.NO_DATE}), "Hello"),
    "a date that is none": Ugly(_changed("Mon, 03 Nov 2025", "Mon, 93 Nov 99999"), frozenset({_F.NO_DATE}), "Hello"),
    "a date before mail": Ugly(_changed("03 Nov 2025", "03 Nov 0001"), subject="A question"),
    "no id": Ugly(_changed("Message-ID: <one@customer.example>\r\n", ""), frozenset({_F.NO_ID}), "Hello"),
    "an id without brackets": Ugly(_changed("<one@customer.example>", "one"), frozenset({_F.NO_ID}), "Hello"),
    "a folded id": Ugly(_changed("<one@customer.example>", "\r\n <one@customer.example>"), text="Hello"),
    "html alone": Ugly(_page("<p>Hello <b>you</b></p>"), frozenset({_F.HTML_ONLY}), "Hello you"),
    "html that hides": Ugly(_page("<p>Hello</p><p style='display:none'>SECRET</p>"),
                            frozenset({_F.HTML_ONLY, _F.HIDDEN_TEXT}), "Hello", lacks="SECRET"),
    "html in white": Ugly(_page("<p>Hello</p><font color='#FFFFFF'>SECRET</font>"), frozenset({_F.HIDDEN_TEXT}),
                          "Hello", lacks="SECRET"),
    "html in nothing": Ugly(_page("<p>Hello</p><span style='font-size:0px'>SECRET</span>"),
                            frozenset({_F.HIDDEN_TEXT}), "Hello", lacks="SECRET"),
    "html with a script": Ugly(_page("<script>SECRET()</script><style>p{}</style>Hello"), text="Hello", lacks="SECRET"),
    "html with a comment": Ugly(_page("Hello<!-- SECRET -->"), text="Hello", lacks="SECRET"),
    "html without end": Ugly(_page("<div>" * 10_000 + "Hello"), frozenset({_F.HTML_ONLY}), "Hello"),
    "html of brackets": Ugly(_page("Hello" + "<a " * 15_000), text="Hello"),
    "html without text": Ugly(_page("<img src=x>"), frozenset({_F.EMPTY})),
    "both forms": Ugly(_mixed(_part("Hello", _PLAIN), _part("<p>Hello</p>", _HTML), kind="alternative"), text="Hello"),
    "an empty plain form": Ugly(_mixed(_part(" ", _PLAIN), _part("<p>Hello</p>", _HTML), kind="alternative"),
                                frozenset({_F.HTML_ONLY}), "Hello"),
    "an attachment": Ugly(_mixed(_part("Hello", _PLAIN), _part("UEsDBA==", _ZIP)), text="Hello"),
    "an attachment named like a path": Ugly(
        _mixed(_part("Hello", _PLAIN), _part("x", _ZIP.replace("a.zip", '"../../etc/passwd"'))), text="Hello"),
    "an attachment with a broken name": Ugly(
        _mixed(_part("Hello", _PLAIN), _part("x", _ZIP.replace("filename=a.zip", "filename*=x'%%%"))), text="Hello"),
    "no end of its parts": Ugly(_mixed(_part("Hello", _PLAIN), end=""), text="Hello"),
    "no boundary": Ugly(mail("--b\r\n\r\nHello", "Content-Type: multipart/mixed\r\n"), frozenset({_F.MALFORMED}),
                        "Hello"),
    "a boundary that never comes": Ugly(mail("Hello", "Content-Type: multipart/mixed; boundary=no\r\n"),
                                        frozenset({_F.MALFORMED}), "Hello"),
    "a type that is none": Ugly(_text("Hello", "nonsense"), text="Hello"),
    "a type without end": Ugly(_text("Hello", 'text/plain; charset="utf-8'), text="Hello"),
    "parts without end": Ugly(_mixed(*[_part("x", _PLAIN)] * 3000), frozenset({_F.TOO_MANY_PARTS}), "x"),
    "parts in parts": Ugly(_deep(10), text="Hello"),
    "parts deeper than read": Ugly(_deep(40), frozenset({_F.TOO_DEEP})),
    "parts in parts without end": Ugly(_deep(5000), frozenset({_F.TOO_DEEP}), "boundary"),
    "a message inside": Ugly(
        _mixed(_part("Hello", _PLAIN), _part(mail("INNER").decode(), "Content-Type: message/rfc822")), text="Hello",
        lacks="INNER"),
    "messages in messages without end": Ugly(mail("Content-Type: message/rfc822\r\n\r\n" * 3000,
                                                  "Content-Type: message/rfc822\r\n"), frozenset({_F.TOO_DEEP})),
    "half of a message": Ugly(mail("Hello", "Content-Type: message/partial; id=a; number=1; total=2\r\n")),
    "a long text": Ugly(mail("word " * 10_000), frozenset({_F.TOO_LONG}), "word"),
    "a huge message": Ugly(mail("word " * 6_000_000), frozenset({_F.TOO_LARGE, _F.TOO_LONG}), "word"),
    "a quote below": Ugly(mail("Yes.\r\n\r\nOn Mon, 3 Nov 2025, Bob wrote:\r\n> OLD\r\n"), text="Yes.", lacks="OLD"),
    "an answer below its quote": Ugly(mail("On Mon, 3 Nov 2025, Bob wrote:\r\n> OLD\r\n\r\nYes.\r\n"), text="Yes.",
                                      lacks="OLD"),
    "a quote alone": Ugly(mail("> nothing else\r\n"), text="nothing else"),
    "a signature": Ugly(mail("Yes.\r\n\r\n-- \r\nAnn\r\nSales\r\n"), text="Yes.", lacks="Sales"),
    "a bounce": Ugly(mail("It failed", "Return-Path: <>\r\n"), text="It failed", kind=MailKind.BOUNCE, answered=False),
    "a report": Ugly(_mixed(_part("It failed", _PLAIN), kind="report"), text="It failed", kind=MailKind.BOUNCE,
                     answered=False),
    "a notice of absence": Ugly(mail("Away", "Auto-Submitted: auto-replied\r\n"), text="Away",
                                kind=MailKind.AUTO_REPLY, answered=False),
    "a notice of absence by its subject": Ugly(_changed("A question", "Out of Office: Re: x"), text="Hello",
                                               subject=None, kind=MailKind.AUTO_REPLY, answered=False),
    "nobody's address": Ugly(_changed("ann@customer", "no-reply@customer"), text="Hello", kind=MailKind.AUTO_REPLY,
                             answered=False),
    "a list": Ugly(mail("News", "List-Id: <news.example>\r\n"), text="News", kind=MailKind.LIST, answered=False),
    "bulk": Ugly(mail("News", "Precedence: bulk\r\n"), text="News", kind=MailKind.LIST, answered=False),
    "our own": Ugly(_changed("ann@customer.example>\r\nTo", "desk@maos.example>\r\nTo"), text="Hello",
                    kind=MailKind.OWN, answered=False),
}  # fmt: skip
