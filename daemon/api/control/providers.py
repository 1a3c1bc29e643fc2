"""Model providers: which there are, and whether the vault holds a key for each."""

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Path

from daemon.api.envelopes import DOCUMENTED
from daemon.api.paging import ListPart, Whole, cut
from daemon.core.failures import Boundary, Failure, FailureClass
from daemon.core.providers import Provider, Providers
from daemon.vault.bindings import Bindings
from daemon.vault.vault import Vault


@dataclass(frozen=True, slots=True, kw_only=True)
class Uses:
    """What these routes use."""

    providers: Providers
    vault: Vault
    bindings: Bindings


def router(uses: Uses) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(responses=DOCUMENTED)

    @routes.get("/v1/providers", operation_id="providers_list")
    async def list_providers(part: Whole) -> ListPart:
        """Return the providers of the model gateway, by name."""
        granted = _granted(uses)
        items, cursor = cut("providers", uses.providers.by_name.values(), key=lambda each: (each.name,), part=part)
        return ListPart(items=[_shown(each, granted) for each in items], next_cursor=cursor)

    @routes.get("/v1/providers/{name}", operation_id="provider_show")
    async def show(name: Annotated[str, Path(max_length=100)]) -> dict[str, Any]:
        """Return one provider."""
        return _shown(find_provider(uses.providers, name), _granted(uses))

    return routes


def find_provider(providers: Providers, name: str) -> Provider:
    """Return a provider by its name."""
    provider = providers.by_name.get(name)
    if provider is None:
        names = ", ".join(providers.by_name)
        raise Failure(
            FailureClass.NOT_FOUND,
            f"There is no model provider {name!r}. Those there are: {names}; config.toml can name others.",
            boundary=Boundary.USER,
        )
    return provider


def _granted(uses: Uses) -> set[str]:
    listed = [] if uses.vault.state == "absent" else uses.bindings.list()
    return {grantee for binding in listed for grantee in binding.connectors}


def _shown(provider: Provider, granted: set[str]) -> dict[str, Any]:
    injection = provider.credential.inject
    return {
        "name": provider.name,
        "ref": str(provider),
        "style": provider.style.value,
        "base_url": provider.base_url,
        "bound": str(provider) in granted,
        "credential": {
            "kind": "api_key",
            "hosts": [str(provider.host_port)],
            "header": None if injection is None else injection.header,
            "format": None if injection is None else injection.format,
        },
    }
