"""An installation whose models are a scripted one, with the key for them in its vault."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from services.model_server import ModelProcess
from services.upstream import UpstreamProcess
from world import World

PROVIDERS = ("openai", "anthropic")


@contextmanager
def modelled(
    folder: Path, *, upstream: UpstreamProcess, model: ModelProcess, key: str, settings: str = "", **environment: str
) -> Iterator[World]:
    """Start one; every provider is the scripted model, and has the key."""
    host = model.url.removeprefix("http://")
    places = "".join(f'[gateway.providers.{name}]\nbase_url = "{model.url}"\n' for name in PROVIDERS)
    with World(folder, upstream=upstream.url, settings=places + settings, **environment) as world:
        config = world.home / "config.toml"
        config.write_text(config.read_text().replace('allow_private = ["', f'allow_private = ["{host}", "', 1))
        world.start()
        world.set_up()
        for name in PROVIDERS:
            body = {"connector": f"provider://{name}", "value": {"type": "api_key", "key": key}}
            world.ok("POST", "/v1/bindings", body)
        yield world


def asked_with(model: ModelProcess, key: str) -> list[dict[str, Any]]:
    """Return what the model was asked, all of it with this key and with nothing of ours."""
    asked = [request for request in model.seen if request["method"] == "POST"]
    assert asked
    for request in asked:
        credentials = [v for n, v in request["headers"].items() if n.lower() in {"authorization", "x-api-key"}]
        assert credentials in ([key], [f"Bearer {key}"])
        assert "ailt_" not in str(request)
    return asked
