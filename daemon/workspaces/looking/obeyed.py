"""The list of what tools of the host run or obey by itself: which names, and when, in words for people.

A name is in this list if something of it runs without being asked for by its own name: when a person opens or enters
the folder, runs any command of git, starts an agent, a shell or an interpreter there, installs the project, or when
what was pushed is built. What runs only when it is named, such as a Makefile, a script or a test, is not.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Obeyed:
    """Some names, and when what lies there runs."""

    reason: str
    names: tuple[str, ...]
    """Each one or more names after another, matched at any depth; `*` stands for any characters of one name.

    What lies below such a folder counts, too. In lower case.
    """
    held: bool = True
    """Whether the live way mounts it read-only. What people and agents change every day there is not."""


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


OBEYED: tuple[Obeyed, ...] = (
    Obeyed(
        reason="git obeys it in every command, and it can name programs",
        names=_words(".gitconfig .gitmodules .gitattributes"),
    ),
    Obeyed(
        reason="git runs what is in it at a commit, a checkout or a push, where its hooks lead here",
        names=_words(".githooks .husky .git-hooks githooks"),
    ),
    Obeyed(
        reason="pre-commit, lefthook or a tool like them runs it at every commit",
        names=_words(
            """
            .pre-commit-config.yaml .pre-commit-config.yml .pre-commit-hooks.yaml lefthook.yml lefthook.yaml
            lefthook.toml lefthook.json .lefthook.yml .lefthook.yaml .lefthook.toml .lefthook.json
            lefthook-local.* .lefthook-local.* .lefthook .lefthook-local .overcommit.yml .huskyrc*
            .lintstagedrc* lint-staged.config.* .simple-git-hooks.* simple-git-hooks.* .captainhook.json
            """
        ),
    ),
    Obeyed(
        reason="direnv, mise or asdf obeys it when you enter this folder",
        names=_words(
            """
            .envrc .direnv .mise.toml mise.toml .mise.*.toml mise.*.toml .mise mise/config*.toml .rtx.toml
            .config/mise .config/mise.toml .tool-versions .autoenv .autoenv.zsh .devbox devbox.json devenv.nix
            devenv.yaml .devenv flake.nix shell.nix
            """
        ),
    ),
    Obeyed(
        reason="programs started in this folder read their environment from it",
        names=_words(".env .env.*"),
        held=False,
    ),
    Obeyed(
        reason="VS Code obeys it when you open this folder",
        names=_words(".vscode *.code-workspace .vscode-server .vscodium"),
    ),
    Obeyed(
        reason="an editor obeys it when you open this folder",
        names=_words(
            """
            .idea .zed .fleet *.iml *.ipr .settings .project .classpath *.sublime-project .nova .theia
            *.xcworkspace *.xcodeproj .vs
            """
        ),
    ),
    Obeyed(
        reason="vim, neovim or emacs runs it when you open a file here",
        names=_words(
            """
            .exrc _exrc .vimrc _vimrc .gvimrc .nvimrc .nvim.lua .lvimrc .local.vimrc .dir-locals.el
            .dir-locals-2.el .projectile .nvim .vim .lazy.lua .neoconf.json
            """
        ),
    ),
    Obeyed(
        reason="an editor runs it to check or format a file that you open",
        names=_words(
            """
            .eslintrc* eslint.config.* .prettierrc* prettier.config.* .stylelintrc* stylelint.config.*
            tslint.json .pylintrc pylintrc .rubocop.yml .clangd .ccls compile_flags.txt compile_commands.json
            """
        ),
        held=False,
    ),
    Obeyed(
        reason="your editor builds or enters a container from it",
        names=_words(
            """
            .devcontainer .devcontainer.json .devfile.yaml devfile.yaml .gitpod.yml .gitpod.dockerfile
            """
        ),
    ),
    Obeyed(
        reason="an agent obeys it when you start one here",
        names=_words(
            """
            .mcp.json mcp.json .claude .claude.json claude.md claude.local.md .claude-plugin agents.md
            agents.override.md agent.md .agents .agent .codex codex.md .cursor .cursorrules .cursorignore
            .gemini gemini.md .geminiignore .goose .goosehints .gooseignore .opencode opencode.json
            opencode.jsonc opencode.md .pi .github/copilot-instructions.md .github/instructions .github/prompts
            .github/agents .github/chatmodes .github/skills .copilot .windsurf .windsurfrules .clinerules .cline
            .roo .roorules .roomodes .continue .continuerules .aider* .amazonq .kiro .junie .augment
            .augment-guidelines .trae .qwen qwen.md .crush crush.json .crush.json crush.md .factory .rules .warp
            warp.md .openhands .openhands_instructions .kilocode .kilocodemodes .devin .jules
            """
        ),
    ),
    Obeyed(reason="Aileron obeys it", names=(".aileron",)),
    Obeyed(
        reason="a shell or an interpreter that is started in this folder runs it",
        names=_words(
            """
            .bashrc .bash_profile .profile .zshrc .zshenv .zprofile .inputrc .irbrc .pryrc .rprofile .renviron
            .pdbrc .pdbrc.py .gdbinit .lldbinit .ghci .psqlrc .sqliterc .iex.exs .pythonrc .pythonstartup
            sitecustomize.py usercustomize.py .julia .octaverc .screenrc .tmux.conf .curlrc .wgetrc .netrc .ssh
            .gnupg .perltidyrc .perlcriticrc
            """
        ),
    ),
    Obeyed(
        reason="npm, yarn, pnpm or bun runs what it names when you install",
        names=_words(
            """
            package.json .npmrc .yarnrc .yarnrc.yml .yarn .pnpmfile.* pnpmfile.* pnpm-workspace.yaml bunfig.toml
            binding.gyp .pnp.* npm-shrinkwrap.json
            """
        ),
        held=False,
    ),
    Obeyed(
        reason="it runs when you install or build this project",
        names=_words(
            """
            setup.py setup.cfg pyproject.toml build.rs .cargo rust-toolchain rust-toolchain.toml gemfile
            *.gemspec .bundle gradlew gradlew.bat gradle-wrapper.* init.gradle* *.gradle *.gradle.kts
            gradle.properties .mvn mvnw mvnw.cmd .bazelrc .bazeliskrc .sbtopts .jvmopts project/build.properties
            directory.build.props directory.build.targets directory.packages.props nuget.config global.json
            .pip.conf pip.conf pip.ini pixi.toml mix.exs rebar.config package.swift podfile composer.json
            cmakepresets.json cmakeuserpresets.json
            """
        ),
        held=False,
    ),
    Obeyed(
        reason="pytest runs it, also where an editor only looks for tests",
        names=_words("conftest.py pytest.ini .pytest.ini"),
        held=False,
    ),
    Obeyed(
        reason="it runs where you push this to, with the rights of the pipeline",
        names=_words(
            """
            .github/workflows .github/actions .github/dependabot.* action.yml action.yaml .gitlab-ci.yml
            *.gitlab-ci.yml .gitlab/ci .gitlab-ci .circleci .travis.yml appveyor.yml .appveyor.yml
            azure-pipelines.yml azure-pipelines*.yml .azure-pipelines .azuredevops jenkinsfile jenkinsfile.*
            .drone.yml .drone.star .woodpecker .woodpecker.* bitbucket-pipelines.yml .buildkite .cirrus.yml
            .cirrus.star .teamcity .forgejo .gitea .builds .build.yml .semaphore cloudbuild.* .tekton
            codefresh.yml .codefresh buildspec.yml .readthedocs.* netlify.toml vercel.json renovate.json
            renovate.json5 .renovaterc* .ci .dagger earthfile
            """
        ),
        held=False,
    ),
    Obeyed(
        reason="another tool for versions obeys it, and it can name programs",
        names=_words(".hg .hgrc .hgsub .svn .jj .bzr .pijul .fossil _darcs .sl cvsroot .cvsrc .repo"),
    ),
)

HOOKS = frozenset(
    _words(
        """
        applypatch-msg pre-applypatch post-applypatch pre-commit pre-merge-commit prepare-commit-msg
        commit-msg post-commit pre-rebase post-checkout post-merge pre-push pre-receive update proc-receive
        post-receive post-update reference-transaction push-to-checkout pre-auto-gc post-rewrite
        sendemail-validate fsmonitor-watchman p4-changelist p4-prepare-changelist p4-post-changelist
        p4-pre-submit post-index-change
        """
    )
)
"""Names of files that git runs in the folder that `core.hooksPath` names."""
