"""What viewers and RIS say on the wire, with nothing of ours in between: HTTP and MLLP."""

import json
import socket
from dataclasses import dataclass
from email.message import Message
from http.client import HTTPConnection
from typing import Any

from tests.support.program import HOST

ANSWER_WITHIN_S = 60.0
START, END = b"\x0b", b"\x1c\r"  # HL7 2.5 appendix C §C.4.3
INSTANCES = 'multipart/related; type="application/dicom"'
AS_STORED = f"{INSTANCES}; transfer-syntax=*"


@dataclass(frozen=True)
class Answer:
    """What came back for one request."""

    status: int
    kind: str
    """Its Content-Type, with parameters."""
    body: bytes

    @property
    def json(self) -> Any:
        """The body, decoded."""
        return json.loads(self.body)

    @property
    def parts(self) -> list[tuple[str, bytes]]:
        """Content-Type and content of each part of a multipart body (RFC 2046 §5.1.1)."""
        message = Message()
        message["Content-Type"] = self.kind
        boundary = b"\r\n--" + str(message.get_param("boundary")).encode()
        _, *parts, end = (b"\r\n" + self.body).split(boundary)
        assert end.strip() == b"--"
        return [_part(one) for one in parts]


def _part(encoded: bytes) -> tuple[str, bytes]:
    head, _, content = encoded.partition(b"\r\n\r\n")
    headers = dict(
        line.decode().lower().split(": ", 1) for line in head.split(b"\r\n") if b": " in line
    )
    return headers["content-type"], content


def asked(
    port: int,
    path: str,
    *,
    method: str = "GET",
    accept: str = "*/*",
    body: object = None,
) -> Answer:
    """The answer to one HTTP request; a body goes as JSON."""
    connection = HTTPConnection(HOST, port, timeout=ANSWER_WITHIN_S)
    headers = {"Accept": accept}
    content = None
    if body is not None:
        headers["Content-Type"] = "application/json"
        content = json.dumps(body)
    try:
        connection.request(method, path, body=content, headers=headers)
        response = connection.getresponse()
        return Answer(response.status, response.getheader("Content-Type", ""), response.read())
    finally:
        connection.close()


def told(port: int, *messages: bytes) -> list[str]:
    """The acknowledgements of HL7 messages, framed for MLLP and sent one after the other on one
    connection; fewer where the gateway closes it."""
    with socket.create_connection((HOST, port), timeout=ANSWER_WITHIN_S) as connection:
        answers = []
        for message in messages:
            connection.sendall(START + message + END)
            if not (answer := heard(connection)):
                break
            answers.append(answer)
        return answers


def heard(connection: socket.socket) -> str:
    """The next acknowledgement on a connection; empty where it is closed."""
    answer = b""
    while not answer.endswith(END):
        try:
            data = connection.recv(65536)
        except ConnectionResetError:
            data = b""
        if not data:
            assert answer == b"", "the answer is cut short"
            return ""
        answer += data
    return answer.removeprefix(START).removesuffix(END).decode()


def segment(answer: str, name: str) -> list[str]:
    """Fields of a segment, by their numbers; empty if it is not there."""
    return next((one.split("|") for one in answer.split("\r") if one.startswith(name)), [])
