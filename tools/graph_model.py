"""Make the compiled model of Graph, for `graphtape check`: proxy/graphtape/model/*.json.xz.

    python tools/graph_model.py

It downloads, into a folder that goes again, msgraph-sdk and msgraph-beta-sdk with pip (URL
templates with their options, and what each operation takes and answers) and the npm packages of
Graph's types (types and enums) with npm. Their licences are MIT; what is taken are names. Versions
stand in each file's head.
"""

from __future__ import annotations

import json
import lzma
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDER = Path(__file__).parents[1] / "proxy/graphtape/model"
SOURCES = {
    "v1.0": ("msgraph-sdk", "msgraph", "@microsoft/microsoft-graph-types"),
    "beta": ("msgraph-beta-sdk", "msgraph_beta", "@microsoft/microsoft-graph-types-beta"),
}

# What real tenants answer (the recordings of public projects that the tests read), and no package
# lists: properties by type, and operations that were taken out of beta.
SEEN = {
    "v1.0": {
        "group": ("creationOptions", "resourceBehaviorOptions", "resourceProvisioningOptions"),
        "organization": ("directorySizeQuota", "isMultipleDataLocationsForServicesEnabled"),
        "serviceprincipal": ("createdDateTime",),
    },
    "beta": {
        "androidlobapp": ("identityName", "identityVersion"),
        "group": ("creationOptions",),
        "organization": ("directorySizeQuota", "isMultipleDataLocationsForServicesEnabled"),
        "serviceprincipal": ("createdDateTime",),
    },
}
SEEN_PATHS = {"v1.0": (), "beta": ("/deviceAppManagement/mobileApps/{id}/deviceStatuses",)}

_CLASS = re.compile(r"^class (\w+)\(", re.MULTILINE)
_TEMPLATE = re.compile(r"""["']\{\+baseurl\}(/[^"\n]*)["'], path_parameters\)""")
_METHOD = re.compile(
    r"^    async def (get|post|put|patch|delete)\(self,(?:[^\n]*?\bbody: (\w+),)?[^\n]*\n"
    r"(.*?)(?=^    (?:async )?def |\Z)",
    re.MULTILINE | re.DOTALL,
)
_SENT = re.compile(r'\.send(_primitive|_collection|)_async\(request_info, "?(\w+)"?')
_IMPORT = re.compile(r"^\s*from (\.+)([\w.]*) import (\w+)$", re.MULTILINE)
_FIELD = re.compile(
    r'^ {12}"([^"]+)": lambda n : setattr\(self, \'\w+\', n\.get_(\w+)\((\w*)\)', re.MULTILINE
)
_OPTIONS = re.compile(r"\{[?&]([^}]*)\}")
_VARIABLE = re.compile(r"\{[^{}]+\}")
_CALL = re.compile(r"([^(]*)\((.*)\)\Z")
_ROOT = re.compile(r"microsoftgraph(?:beta)?\.")
_PRIMITIVES = {"str", "int", "bytes", "float", "bool", "UUID", "datetime"}


def main() -> None:
    """Write both files."""
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        for version, (sdk, package, types) in SOURCES.items():
            place = Path(folder, version)
            place.mkdir()
            sdk_version = _sdk(sdk, place)
            types_version = _types(types, place)
            model = Model(place / package / "generated", place / "package/microsoft-graph.d.ts")
            model.add_seen(SEEN[version], SEEN_PATHS[version])
            tree = {
                "packages": {sdk: sdk_version, types: types_version},
                "licence": "MIT, (c) Microsoft Corporation: of both packages",
                **model.tree(),
            }
            data = json.dumps(tree, separators=(",", ":"), sort_keys=True).encode()
            packed = lzma.compress(data, preset=9 | lzma.PRESET_EXTREME)
            path = FOLDER / f"graph-{version}.json.xz"
            path.write_bytes(packed)
            sys.stdout.write(f"{path.name}: {len(packed)} bytes of {len(data)}\n")


def _sdk(name: str, place: Path) -> str:
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-deps",
        "-d",
        str(place),
        name,
    ]
    subprocess.run(command, check=True)
    (wheel,) = place.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(place)  # noqa: S202 - of the registry, into a folder that goes
    return wheel.name.split("-")[1]


def _types(name: str, place: Path) -> str:
    npm = shutil.which("npm") or sys.exit("npm is not installed")
    subprocess.run([npm, "pack", "--silent", name], cwd=place, check=True, capture_output=True)
    (archive,) = place.glob("*.tgz")
    with tarfile.open(archive) as packed:
        packed.extractall(place, filter="data")
    about = json.loads((place / "package/package.json").read_text(encoding="utf-8"))
    return str(about["version"])


class Model:
    """What the packages of one version say."""

    def __init__(self, generated: Path, declarations: Path) -> None:
        """Read them."""
        self.generated = generated
        self.enums: dict[str, list[str]] = {}
        self.types: dict[str, list[Any]] = {}
        self.names: dict[str, str] = {}
        self.options: list[list[str]] = []
        self.paths: dict[str, Any] = {}
        self._declare(declarations.read_text(encoding="utf-8"))
        for file in sorted(generated.rglob("*_request_builder.py")):
            self._operations(file)

    def tree(self) -> dict[str, Any]:
        """Return all of it, as it is written."""
        return {
            "options": self.options,
            "enums": self.enums,
            "names": self.names,
            "types": self.types,
            "paths": self.paths,
        }

    def add_seen(self, types: dict[str, tuple[str, ...]], paths: tuple[str, ...]) -> None:
        """Add what real tenants answer and no package lists."""
        for name, properties in types.items():
            for each in properties:
                self.types[name][1].setdefault(each, "")
        for path in paths:
            node = self.paths
            for segment in _segments(path):
                node = node.setdefault(segment, {})
            node.setdefault("", {}).setdefault("GET", [-1, "", ""])

    def _declare(self, text: str) -> None:
        """Read types and enums of TypeScript declarations."""
        text = re.sub(r"/\*.*?\*/|^\s*//[^\n]*", "", text, flags=re.MULTILINE | re.DOTALL)
        space = ""
        for part in re.split(r"^(?=export namespace )", text, flags=re.MULTILINE):
            found = re.match(r"export namespace ([\w.]+) \{", part)
            space = _spaced(found[1]) if found else ""
            for name, members in re.findall(r"\btype (\w+) =\s*([^;]+);", part):
                values = re.findall(r'"([^"]*)"', members)
                if values:
                    self.enums[space + name.lower()] = values
                    self.names[space + name.lower()] = name[0].lower() + name[1:]
            bodies = re.findall(
                r"\binterface (\w+)(?: extends ([\w.]+))? \{(.*?)(?:^\s*\}|\})$",
                part,
                flags=re.MULTILINE | re.DOTALL,
            )
            for name, base, body in bodies:
                fields = dict(
                    re.findall(r'^\s*"?([\w@.$-]+)"?\??:\s*([^;]+);', body, flags=re.MULTILINE)
                )
                self.names[space + name.lower()] = name[0].lower() + name[1:]
                self.types[space + name.lower()] = [
                    _reference(base, space) if base else "",
                    {key: _reference(kind, space) for key, kind in fields.items()},
                ]

    def _operations(self, file: Path) -> None:
        text = file.read_text(encoding="utf-8")
        template = _TEMPLATE.search(text)
        if template is None:
            return
        path = template[1]
        options = [name for group in _OPTIONS.findall(path) for name in _names(group)]
        path, _, needed = _OPTIONS.sub("", path).partition("?")
        options += [each.partition("=")[0] for each in needed.split("&") if each]
        node = self.paths
        for segment in _segments(path):
            node = node.setdefault(segment, {})
        imports = self._imports(file, text)
        methods = node.setdefault("", {})
        for method, body, code in _METHOD.findall(text):
            answer = ""
            sent = _SENT.search(code)
            if sent is not None:
                answer = self._answer(sent[1], sent[2], imports)
            takes = self._kind(body, imports) if body and body not in _PRIMITIVES else ""
            at = self._options(sorted(options)) if method == "get" else -1
            methods[method.upper()] = [at, answer, takes]

    def _options(self, names: list[str]) -> int:
        if names not in self.options:
            self.options.append(names)
        return self.options.index(names)

    def _answer(self, how: str, name: str, imports: dict[str, Path]) -> str:
        if how == "_primitive":
            known = name.lower()
            return f"={known}" if known in self.enums else ""
        kind = self._kind(name, imports)
        if how == "_collection":
            return f"{kind}[]"
        fields = self.types.get(kind, ["", {}])[1]
        if (
            kind.startswith("!")
            and isinstance(fields.get("value"), str)
            and "[]" in fields["value"]
        ):
            return str(fields["value"])
        return kind

    def _kind(self, name: str, imports: dict[str, Path]) -> str:
        """Return the name of a type: Graph's own, or of what one operation alone takes."""
        file = imports.get(name)
        if file is None:
            return ""
        name = name.rstrip("_")  # kiota's mark where a package has the same name
        inside = file.relative_to(self.generated).with_suffix("").parts
        if inside[0] == "models":
            space = ".".join(part.replace("_", "") for part in inside[1:-1])
            # Kiota moves a type into a namespace of its own name where there is one.
            for own in dict.fromkeys(((f"{space}." if space else "") + name.lower(), name.lower())):
                if own in self.types or own in self.enums:
                    return own
                bare = own.removesuffix("collectionresponse")
                if bare != own and bare in self.types:
                    return f"{bare}[]"
            return ""
        own = "!" + "/".join(inside)
        if own not in self.types and file.exists():
            text = file.read_text(encoding="utf-8")
            inner = self._imports(file, text)
            self.types[own] = ["", {}]
            self.types[own][1] = {
                key: self._value(how, kind, inner) for key, how, kind in _FIELD.findall(text)
            }
            parent = re.search(
                r"^class \w+\((\w*CollectionResponse|\w+Response)\b", text, re.MULTILINE
            )
            if parent and "value" not in self.types[own][1]:
                self.types[own][1]["value"] = ""
        return own if own in self.types else ""

    def _value(self, how: str, kind: str, imports: dict[str, Path]) -> str:
        if not kind or kind in _PRIMITIVES:
            return ""
        found = self._kind(kind, imports)
        return f"{found}[]" if found and how.startswith("collection") else found

    def _imports(self, file: Path, text: str) -> dict[str, Path]:
        found: dict[str, Path] = {}
        for dots, module, name in _IMPORT.findall(text):
            place = file
            for _ in dots:
                place = place.parent
            found[name] = place.joinpath(*module.split(".")).with_suffix(".py")
        return found


def _spaced(name: str) -> str:
    return name.removesuffix("Namespace").lower() + "."


def _reference(kind: str, space: str) -> str:
    """Name what a property holds: a type, a list of it (`[]`), or nothing that is known."""
    text = re.sub(r"\s", "", kind)
    while (found := re.fullmatch(r"NullableOption<(.*)>", text)) is not None:
        text = found[1]
    many = text.endswith("[]")
    name = re.sub(r"[()]|\|null", "", text.removesuffix("[]"))
    if name in {"string", "number", "boolean", "any", "null"} or not re.fullmatch(r"[\w.]+", name):
        return ""
    *spaces, bare = _ROOT.sub("", name).split(".")
    prefix = "".join(_spaced(each) for each in [".".join(spaces)] if each)
    own = prefix or ("" if _ROOT.match(name) else space)
    return f"{own}{bare.lower()}{'[]' if many else ''}"


def _names(group: str) -> Iterator[str]:
    for name in group.split(","):
        yield name.replace("%24", "$").rstrip("*")


def _segments(path: str) -> Iterator[str]:
    """Spell a template as `core.matching.operation` spells the path of a request."""
    for segment in path.split("/"):
        if not segment:
            continue
        name = segment.replace("%24", "$").replace("microsoft.graph.", "").removeprefix("graph.")
        call = _CALL.fullmatch(name)
        if _VARIABLE.fullmatch(name):
            yield "{}"
        elif call is None:
            yield name
        elif not call[2]:
            yield call[1]
        else:
            keys = [each.partition("=")[0].strip().strip("@") for each in call[2].split(",")]
            yield f"{call[1]}({','.join(f'{key}={{value}}' for key in keys)})"


if __name__ == "__main__":
    main()
