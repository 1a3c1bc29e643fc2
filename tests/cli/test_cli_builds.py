"""The build of an image as a person sees it: steps, megabytes, another launch that builds it, and Ctrl-C."""

import json
import os
from collections.abc import Iterator
from typing import Any

import httpx

from daemon.cli.failure import ExitCode

TAG = "aileron-sandbox-codex:1"
IMAGES = {"items": [], "pinned": [{"agent": "codex", "version": "1.0.0", "tag": TAG}], "next": None}
BUILD = "POST /v1/sandbox-images/build"


def lines(*told: dict[str, Any]) -> httpx.Response:
    return httpx.Response(200, text="".join(json.dumps(each) + "\n" for each in told))


def test_a_build_says_which_step_it_is_at_and_how_large_the_image_became(cli: Any, stand_in: Any) -> None:
    stand_in.answers |= {
        "GET /v1/sandbox-images": IMAGES,
        BUILD: lines(
            {"joined": True, "seconds": 12.0},
            {"text": "Step 1/9 : FROM debian", "step": 1, "steps": 9},
            {"downloaded": 3_000_000, "of": 30_000_000},
            {"text": "Step 2/9 : RUN a\x1b[2Jb", "step": 2, "steps": 9},
            {"text": "Step 3/9 : ENV x", "step": 3, "steps": 9},
            {"done": TAG, "built": True, "bytes": 694_000_000, "seconds": 121.0},
        ),
    }
    said = cli("sandbox", "build", "codex").err
    assert "0.5 to 0.8 GB" in said
    assert "Another launch has been building it for 12 s; this one waits for it, too." in said
    assert "  1/9 FROM debian\n" in said
    assert "  2/9 RUN a\\u001b[2Jb\n" in said
    assert "3/9" not in said, "what is quick is not told"
    assert f"Built {TAG}: 694 MB in 121 s." in said


class _Interrupted(httpx.SyncByteStream):
    def __iter__(self) -> Iterator[bytes]:
        yield json.dumps({"text": "Step 1/9 : FROM debian", "step": 1, "steps": 9}).encode() + b"\n"
        raise KeyboardInterrupt


def test_ctrl_c_in_a_build_says_what_is_left_of_it(cli: Any, stand_in: Any) -> None:
    stand_in.answers |= {
        "GET /v1/sandbox-images": IMAGES,
        BUILD: lambda _: httpx.Response(200, stream=_Interrupted()),
    }
    ended = cli("sandbox", "build", "codex")
    assert ended.code == ExitCode.INTERRUPTED
    assert "stopped: nothing was started, and there is no new image" in ended.err
    assert "stay in the engine's cache" in ended.err


def test_ctrl_c_while_a_sandbox_starts_says_that_nothing_was_started(cli: Any, stand_in: Any) -> None:
    def interrupted(_: httpx.Request) -> httpx.Response:
        raise KeyboardInterrupt

    stand_in.answers |= {
        "GET /v1/status": {"vault": {"state": "unlocked"}},
        "GET /v1/actions": {"items": []},
        "GET /v1/providers": {"items": []},
        "GET /v1/sandbox-images": {**IMAGES, "items": [{"tag": TAG}]},
        "GET /v1/sandboxes": {"items": []},
        "GET /v1/sessions": {"items": []},
        "POST /v1/sandboxes": interrupted,
    }
    ended = cli("launch", "--sandbox", "codex")
    assert ended.code == ExitCode.INTERRUPTED
    assert "stopped: no agent was started, and your folder is as it was" in ended.err
    session = {"id": "ses_01a21718-6313-7467-bf75-7ee2f38a38eb", "kind": "sandbox", "owner_pid": os.getpid()}
    stand_in.answers |= {
        "GET /v1/sessions": {"items": [session]},
        f"POST /v1/sessions/{session['id']}/end": {},
        "GET /v1/audit": {"items": [{"type": "sandbox.started", "action": None, "payload": {}}]},
        "GET /v1/audit/head": {"seq": 1, "hash": "00"},
    }
    ended = cli("launch", "--sandbox", "codex")
    assert ended.code == ExitCode.INTERRUPTED
    assert "the agent had just been started, and was ended" in ended.err
    assert "aileron session diff f38a38eb" in ended.err
