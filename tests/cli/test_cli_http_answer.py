"""As much of HTTP as the daemon speaks: whole answers as they are, and a clear end for everything else."""

import socket
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.cli.http_answer import Connection, NoAnswerError


def answered(*pieces: bytes) -> tuple[int, bytes, bool]:
    """Return status, body and whether the connection is over, of an answer that comes in these pieces."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            there, _ = server.accept()
            with there:
                there.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                while b"\r\n\r\n" not in there.recv(65_536):
                    pass
                for piece in pieces:
                    there.sendall(piece)

        serving = threading.Thread(target=serve)
        serving.start()
        connection = Connection("127.0.0.1", server.getsockname()[1], seconds=10)
        try:
            answer = connection.request("GET", "/", {}, None)
            return answer.status, answer.read(), answer.will_close
        finally:
            connection.close()
            serving.join()


@given(st.binary(max_size=200), st.integers(1, 50))
def test_a_body_comes_as_it_is_however_it_is_cut_and_framed(body: bytes, size: int) -> None:
    cut = [body[at : at + size] for at in range(0, len(body), size)]
    head = b"HTTP/1.1 200 OK\r\nX: y\r\n"
    chunks = b"".join(b"%x;a=b\r\n%s\r\n" % (len(piece), piece) for piece in cut) + b"0\r\nTrailer: z\r\n\r\n"
    assert answered(head + b"Content-Length: %d\r\n\r\n" % len(body), *cut) == (200, body, False)
    assert answered(head + b"Transfer-Encoding: chunked\r\n\r\n" + chunks) == (200, body, False)
    assert answered(head + b"\r\n", *cut) == (200, body, True)


def test_an_interim_answer_is_passed_over_and_204_has_no_body() -> None:
    assert answered(b"HTTP/1.1 103 Early\r\nLink: x\r\n\r\n", b"HTTP/1.1 204 No\r\n\r\n")[:2] == (204, b"")


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"220 mail.example ESMTP\r\n",
        b"HTTP/1.1 two hundred\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfour",
        b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfo",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000,
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 300,
    ],
    ids=range(9),
)
def test_what_is_no_whole_answer_is_none(text: bytes) -> None:
    with pytest.raises((NoAnswerError, ConnectionError)):
        answered(text)
