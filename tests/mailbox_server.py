"""A small, strict IMAP server over TLS that keeps its messages and flags, so that tests read mail over the wire.

with MailboxServer(tls=context, login=("desk", "secret")) as box:
    box.put(content)
    ...
    assert box.read == {1}
"""

import re
import socketserver
import ssl
import threading
from types import TracebackType
from typing import Self

_COMMAND = re.compile(rb"(\S+) (UID )?(\w+) ?(.*)\r\n", re.DOTALL)
_PART = re.compile(rb"\(RFC822\.SIZE BODY\.PEEK\[\]<0\.(\d+)>\)")


class MailboxServer:
    """The server at `host` and `port`; a context manager."""

    host = "127.0.0.1"

    def __init__(self, *, login: tuple[str, str], tls: ssl.SSLContext | None = None, validity: int = 7) -> None:
        self.login = login
        self.validity = validity
        self.messages: dict[int, bytes] = {}
        self.read: set[int] = set()
        self.said: list[str] = []
        self.tls = tls
        self._server = _Server((self.host, 0), _Conversation)
        self._server.box = self
        self.port: int = self._server.server_address[1]

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def put(self, *contents: bytes) -> None:
        """Let messages arrive."""
        for content in contents:
            self.messages[max(self.messages, default=0) + 1] = content


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    box: MailboxServer


class _Conversation(socketserver.StreamRequestHandler):
    server: _Server

    def setup(self) -> None:
        if self.server.box.tls:
            self.request = self.server.box.tls.wrap_socket(self.request, server_side=True)
        super().setup()

    def handle(self) -> None:
        self._logged_in, self._may_change = False, None
        self._say(b"* OK ready")
        while match := _COMMAND.fullmatch(self.rfile.readline()):
            tag, by_uid, name, rest = match[1], bool(match[2]), match[3].upper().decode(), match[4]
            self.server.box.said.append(name)
            ending = self._answer(name, rest, by_uid=by_uid)
            self._say(tag + b" " + ending)
            if name == "LOGOUT":
                return

    def _answer(self, name: str, rest: bytes, *, by_uid: bool) -> bytes:
        if name == "CAPABILITY":
            self._say(b"* CAPABILITY IMAP4rev1")
        elif name == "LOGOUT":
            self._say(b"* BYE")
        elif name == "LOGIN":
            given = tuple(part.strip(b'"').decode() for part in rest.split(b" "))
            self._logged_in = given == self.server.box.login
            return b"OK in" if self._logged_in else b"NO wrong"
        elif not self._logged_in:
            return b"NO log in first"
        elif name in {"SELECT", "EXAMINE"}:
            return self._open(rest, changing=name == "SELECT")
        elif self._may_change is None or not by_uid:
            return b"BAD open a folder first, and name messages by their UIDs"
        else:
            return {"SEARCH": self._search, "FETCH": self._fetch, "STORE": self._store}[name](rest)
        return b"OK done"

    def _open(self, folder: bytes, *, changing: bool) -> bytes:
        if folder.strip(b'"') != b"INBOX":
            return b"NO there is no such folder"
        self._may_change = changing
        self._say(b"* %d EXISTS" % len(self.server.box.messages))
        self._say(b"* OK [UIDVALIDITY %d] valid" % self.server.box.validity)
        return b"OK [READ-WRITE] open" if changing else b"OK [READ-ONLY] open"

    def _search(self, rest: bytes) -> bytes:
        assert rest == b"ALL" or re.fullmatch(rb"SINCE \d\d-[A-Z][a-z]{2}-\d{4}", rest), rest
        self._say(b"* SEARCH " + b" ".join(b"%d" % uid for uid in self.server.box.messages))
        return b"OK found"

    def _fetch(self, rest: bytes) -> bytes:
        uid, _, wanted = rest.partition(b" ")
        part = _PART.fullmatch(wanted)
        content = self.server.box.messages.get(int(uid))
        assert part, wanted
        if content is not None:
            head = content[: int(part[1])]
            said = b"* 1 FETCH (UID %s RFC822.SIZE %d BODY[]<0> {%d}\r\n" % (uid, len(content), len(head))
            self.wfile.write(said + head)
            self._say(b")")
        return b"OK fetched"

    def _store(self, rest: bytes) -> bytes:
        if not self._may_change:
            return b"NO the folder is open for reading"
        uids, _, flags = rest.partition(b" ")
        assert flags == rb"+FLAGS.SILENT (\Seen)", flags
        self.server.box.read |= {int(uid) for uid in uids.split(b",")} & self.server.box.messages.keys()
        return b"OK stored"

    def _say(self, line: bytes) -> None:
        self.wfile.write(line + b"\r\n")
        self.wfile.flush()
