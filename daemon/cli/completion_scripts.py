"""What a shell runs to have `aileron` complete a word, and where each shell looks for it.

No shell evaluates what comes back: names in it may have been chosen by an agent. Each line is one word, for zsh and
fish with a tab and an explanation behind it.
"""

from collections.abc import Mapping
from pathlib import Path

VARIABLE = "_AILERON_COMPLETE"
"""Which shell asks."""
LINE_VARIABLE = "_AILERON_COMPLETE_LINE"
"""The line up to the cursor."""

# Words are cut from the whole line by the program: bash itself would cut github://acme/slack at its colon.
_BASH = """_aileron_complete() {
    local word
    COMPREPLY=()
    while IFS= read -r word; do
        COMPREPLY+=("$word")
    done < <(_AILERON_COMPLETE=bash _AILERON_COMPLETE_LINE="${COMP_LINE:0:COMP_POINT}" "$1" 2>/dev/null)
}
complete -o default -F _aileron_complete aileron
"""
_ZSH = """#compdef aileron
_aileron() {
    local -a words_found explained
    local line
    while IFS= read -r line; do
        words_found+=("${line%%$'\\t'*}")
        explained+=("${line/$'\\t'/  }")
    done < <(_AILERON_COMPLETE=zsh _AILERON_COMPLETE_LINE="${(j: :)words[1,CURRENT]}" "${words[1]}" 2>/dev/null)
    if (( $#words_found )); then
        compadd -l -d explained -a words_found
    else
        _files
    fi
}
if [ "$funcstack[1]" = "_aileron" ]; then
    _aileron "$@"
else
    compdef _aileron aileron
fi
"""
_FISH = """function __aileron_complete
    set -l found (_AILERON_COMPLETE=fish _AILERON_COMPLETE_LINE=(commandline -cp) aileron 2>/dev/null)
    if set -q found[1]
        printf '%s\\n' $found
    else
        __fish_complete_path (commandline -ct)
    end
end
complete --command aileron --no-files --arguments "(__aileron_complete)"
"""

SCRIPTS = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}

_FOLDERS = {
    "bash": ("XDG_DATA_HOME", ".local/share", "bash-completion/completions/aileron"),
    "fish": ("XDG_CONFIG_HOME", ".config", "fish/completions/aileron.fish"),
    "zsh": ("ZDOTDIR", "", ".zfunc/_aileron"),
}


def place(shell: str, *, environ: Mapping[str, str]) -> Path:
    """Return the file in which a shell looks for the completion of `aileron`."""
    variable, usual, file = _FOLDERS[shell]
    moved = environ.get(variable)
    return (Path(moved) if moved else Path.home() / usual) / file
