"""Lists come from the daemon in parts; a person sees all of a short one, and is told that a long one goes on."""

from typing import Any

import httpx
import pytest

from daemon.api.paging import Part, cut

SESSION = {
    "kind": "api",
    "label": "",
    "created_at": "2026-11-20T10:00:00Z",
    "expires_at": "2026-11-21T10:00:00Z",
    "ended_at": None,
    "end_reason": None,
}
SESSIONS = [SESSION | {"id": f"ses_{number:04}"} for number in range(2500)]


def in_parts(items: list[dict[str, Any]], *, key: str, most: int) -> Any:
    def answer(request: httpx.Request) -> httpx.Response:
        limit = int(request.url.params.get("limit", most))
        assert 1 <= limit <= 1000
        found, cursor = cut(
            key, items, key=lambda each: (each[key],), part=Part(limit, request.url.params.get("cursor"))
        )
        return httpx.Response(200, json={"items": found, "next_cursor": cursor})

    return answer


def test_a_list_without_a_limit_is_read_to_its_end(cli: Any, stand_in: Any) -> None:
    secrets = [{"name": f"key-{number}", "kind": "secret", "version": 1, "updated_at": "t"} for number in range(7)]
    stand_in.answers["GET /v1/keyring"] = in_parts(secrets, key="name", most=3)
    shown = cli("keyring", "list", "--json").json
    assert (shown["items"], shown["next_cursor"]) == (secrets, None)


def test_a_list_that_goes_on_says_so_beside_it(cli: Any, stand_in: Any) -> None:
    stand_in.answers["GET /v1/workspaces"] = {"items": [], "next_cursor": None}
    stand_in.answers["GET /v1/sessions"] = in_parts(SESSIONS, key="id", most=100)
    shown = cli("session", "list")
    assert len(shown.out.splitlines()) == 51
    assert "There are more: --all shows them." in shown.err
    assert cli("session", "list", "--json").json["next_cursor"] is not None


@pytest.mark.parametrize(("limit", "found"), [("1500", 1500), ("2500", 2500), ("9999", 2500)])
def test_a_limit_beyond_what_comes_at_once_is_filled_from_several_parts(
    cli: Any, stand_in: Any, limit: str, found: int
) -> None:
    stand_in.answers["GET /v1/sessions"] = in_parts(SESSIONS, key="id", most=100)
    items = cli("session", "list", "--limit", limit, "--json").json["items"]
    assert items == SESSIONS[:found]


def test_all_of_a_long_list_are_shown_when_asked_for(cli: Any, stand_in: Any) -> None:
    stand_in.answers["GET /v1/workspaces"] = {"items": [], "next_cursor": None}
    stand_in.answers["GET /v1/sessions"] = in_parts(SESSIONS, key="id", most=1000)
    shown = cli("session", "list", "--all")
    assert len(shown.out.splitlines()) == 2501
    assert "There are more" not in shown.err
