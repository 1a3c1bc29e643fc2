"""Writes a bill of materials (SBOM, in CycloneDX 1.6): a distribution, and every package that it was tested with."""

import datetime as dt
import hashlib
import uuid
from collections.abc import Mapping
from pathlib import Path

from cyclonedx.model import HashAlgorithm, HashType, Property
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.dependency import Dependency
from cyclonedx.output.json import JsonV1Dot6
from locked import Locked, closure
from packageurl import PackageURL

_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_OID, "aileron release")


def inventory(
    name: str, version: str, locked: Mapping[str, Locked], *, project: str, wheel: Path, commit_time: int
) -> str:
    """Return the document for one distribution; the same commit gives the same document."""
    project = project.removeprefix("./")
    packages = closure(locked, project)
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    subject = _component(name, version, kind=ComponentType.APPLICATION)
    subject.hashes.add(HashType(alg=HashAlgorithm.SHA_256, content=digest))
    parts = {package.name: _component(package.name, package.version) for package in packages}
    for package in packages:
        if package.marker is not None:
            parts[package.name].properties.add(Property(name="aileron:marker", value=package.marker))
    bom = Bom(components=parts.values(), serial_number=uuid.uuid5(_NAMESPACE, digest))
    bom.metadata.timestamp = dt.datetime.fromtimestamp(commit_time, tz=dt.UTC)
    bom.metadata.component = subject
    wants: dict[str, list[Component]] = {part: [] for part in parts}
    direct = []
    for package in packages:
        if project in package.wanted_by:
            direct.append(parts[package.name])
        for wanting in package.wanted_by:
            if wanting in wants:
                wants[wanting].append(parts[package.name])
    bom.dependencies.add(Dependency(subject.bom_ref, [Dependency(part.bom_ref) for part in direct]))
    for wanting, wanted in wants.items():
        bom.dependencies.add(Dependency(parts[wanting].bom_ref, [Dependency(part.bom_ref) for part in wanted]))
    return JsonV1Dot6(bom).output_as_string(indent=2) + "\n"


def _component(name: str, version: str, *, kind: ComponentType = ComponentType.LIBRARY) -> Component:
    url = PackageURL(type="pypi", name=name, version=version)
    return Component(type=kind, name=name, version=version, purl=url, bom_ref=url.to_string())
