"""A user who may not read the folder is refused at launch, with what to do, and nobody else is."""

import pytest

from daemon.core.failures import Failure
from daemon.sandbox.user import Folder, check_may_enter

MINE = (500, 50)


@pytest.mark.parametrize(
    ("user", "mode"),
    [
        ("1000:1000", 0o700),
        ("1000:1000", 0o750),
        ("1000:1000", 0o704),  # listed, not entered
        ("1000:1000", 0o701),  # entered, not listed
        ("1000:50", 0o705),  # the group is asked before the others
        ("500:50", 0o077),  # and the owner before both
    ],
)
def test_a_user_who_may_not_read_the_folder_is_refused_with_what_to_do(user: str, mode: int) -> None:
    with pytest.raises(Failure) as refused:
        check_may_enter(user, [Folder("/w", *MINE, 0o40755), Folder("/w/my work", *MINE, 0o40000 | mode)])
    assert f"User {user} may not read /w/my work" in refused.value.message
    assert "chmod o+rx '/w/my work'" in refused.value.message
    assert f"chown -R {user} '/w/my work'" in refused.value.message


@pytest.mark.parametrize(
    ("user", "mode"), [("1000:1000", 0o755), ("1000:1000", 0o705), ("1000:50", 0o750), ("500:1", 0o700)]
)
def test_a_user_who_may_read_it_is_let_in(user: str, mode: int) -> None:
    check_may_enter(user, [Folder("/w", *MINE, 0o40000 | mode)])
