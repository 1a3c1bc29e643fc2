"""Session tokens: narrowing is open to everyone, widening to nobody."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.sessions.tokens import TOKEN_PREFIX, Capability, TokenAuthority, TokenError, restrict

KEY = bytes(range(32))
SESSION = "ses_01890a5d-ac96-774b-bcce-b302099a8057"
AUTHORITY = TokenAuthority(key=KEY)


def minted(expires_ms: int = 10_000) -> str:
    return AUTHORITY.mint(
        session=SESSION, expires_ms=expires_ms, capabilities=[Capability.LIST_ACTIONS, Capability.RUN_ACTIONS]
    )


def test_a_token_grants_what_it_was_minted_with() -> None:
    claims = AUTHORITY.check(minted(), now_ms=0)
    assert claims.session == SESSION
    assert claims.capabilities == {Capability.LIST_ACTIONS, Capability.RUN_ACTIONS}


def test_a_token_is_dead_from_its_expiry_on() -> None:
    AUTHORITY.check(minted(10_000), now_ms=9_999)
    with pytest.raises(TokenError, match="expired"):
        AUTHORITY.check(minted(10_000), now_ms=10_000)


def test_a_bearer_can_narrow_a_token_without_the_key() -> None:
    narrow = restrict(restrict(minted(), "may=actions:list"), "expires=50")
    assert AUTHORITY.check(narrow, now_ms=49).capabilities == {Capability.LIST_ACTIONS}
    with pytest.raises(TokenError, match="expired"):
        AUTHORITY.check(narrow, now_ms=50)


def test_a_caveat_cannot_widen_a_token() -> None:
    wide = restrict(minted(100), "may=actions:list,actions:run,llm:proxy,approvals:poll")
    later = restrict(wide, "expires=999999")
    assert AUTHORITY.check(later, now_ms=0).capabilities == {Capability.LIST_ACTIONS, Capability.RUN_ACTIONS}
    assert AUTHORITY.check(later, now_ms=0).expires_ms == 100


def test_an_unknown_caveat_closes_the_token() -> None:
    with pytest.raises(TokenError, match="does not know"):
        AUTHORITY.check(restrict(minted(), "only-on=tuesdays"), now_ms=0)


def test_a_caveat_cannot_be_taken_away() -> None:
    narrow = restrict(minted(), "may=actions:list")
    body, signature = narrow.removeprefix(TOKEN_PREFIX).split(".")
    caveats = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    shorter = base64.urlsafe_b64encode(json.dumps(caveats[:-1], separators=(",", ":")).encode()).rstrip(b"=").decode()
    with pytest.raises(TokenError, match="signature"):
        AUTHORITY.check(f"{TOKEN_PREFIX}{shorter}.{signature}", now_ms=0)


def test_another_key_makes_other_tokens() -> None:
    with pytest.raises(TokenError, match="signature"):
        TokenAuthority(key=bytes(32)).check(minted(), now_ms=0)


@given(st.integers(0, 400), st.characters(codec="ascii"))
def test_no_character_of_a_token_can_be_changed(place: int, character: str) -> None:
    token = minted()
    place %= len(token)
    changed = token[:place] + character + token[place + 1 :]
    if changed == token:
        return
    with pytest.raises(TokenError):
        AUTHORITY.check(changed, now_ms=0)


@given(st.text())
def test_any_text_is_either_refused_or_a_token(text: str) -> None:
    for candidate in (text, TOKEN_PREFIX + text, f"{TOKEN_PREFIX}{text}.{text}"):
        with pytest.raises(TokenError):
            AUTHORITY.check(candidate, now_ms=0)
