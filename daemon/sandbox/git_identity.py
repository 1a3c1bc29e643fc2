"""Git's configuration inside: the person's name and e-mail, and nothing else of theirs. Pure."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Identity:
    """As whom an agent commits, as the person's own git says it; what is empty is not set."""

    name: str = ""
    email: str = ""
    default_branch: str = ""


NOBODY = Identity()


def gitconfig(identity: Identity) -> str:
    """Write a configuration file for git."""
    lines = ["[safe]", "\tdirectory = *"]
    if identity.name or identity.email:
        lines.append("[user]")
        lines += [f"\t{key} = {_quoted(said)}" for key, said in _user(identity) if said]
    if identity.default_branch:
        lines += ["[init]", f"\tdefaultBranch = {_quoted(identity.default_branch)}"]
    return "\n".join(lines) + "\n"


def _user(identity: Identity) -> tuple[tuple[str, str], ...]:
    return ("name", identity.name), ("email", identity.email)


def _quoted(text: str) -> str:
    """Write a value so that git reads it as it is: one line, in quotes."""
    one_line = "".join(character for character in text if character.isprintable())
    return '"' + one_line.replace("\\", "\\\\").replace('"', '\\"') + '"'
