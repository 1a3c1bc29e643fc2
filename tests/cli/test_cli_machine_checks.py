"""What the doctor says of the machine around an installation."""

import socket
import threading
from pathlib import Path

from daemon.base.home import Home
from daemon.cli.machine_checks import machine_checks


def found(folder: Path, docker: Path) -> dict[str, dict[str, str]]:
    return {check["name"]: check for check in machine_checks(Home(folder), docker=docker)}


def test_a_missing_engine_is_a_warning_and_an_answering_one_is_fine(tmp_path: Path) -> None:
    path = tmp_path / "docker.sock"
    assert found(tmp_path, path)["docker"]["status"] == "warning"

    def answer(server: socket.socket) -> None:
        connection, _ = server.accept()
        with connection:
            connection.recv(1024)
            connection.sendall(b"HTTP/1.0 200 OK\r\n\r\nOK")

    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
        thread = threading.Thread(target=answer, args=(server,))
        thread.start()
        assert found(tmp_path, path)["docker"]["status"] == "ok"
        thread.join()


def test_an_agent_under_the_same_account_is_always_warned_about(tmp_path: Path) -> None:
    assert found(tmp_path, tmp_path / "none")["agents"]["status"] == "warning"
