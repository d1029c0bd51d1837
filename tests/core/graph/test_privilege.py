from __future__ import annotations

import pytest

from graphtape.core.graph.privilege import Grant, PermissionsError, Privileges, smallest
from graphtape.core.matching.operation import Operation

NO_KEYS = {"schemeKeys": 1}
ROOT = "https://graph.microsoft.com"


def permission(level: int, *path_sets: dict[str, object], scheme: str = "Application") -> object:
    return {"schemes": {scheme: {"privilegeLevel": level}}, "pathSets": list(path_sets)}


def paths(
    methods: str, *templates: str, least: bool = True, scheme: str = "Application", **more: str
) -> dict[str, object]:
    said = f"least={scheme}" if least else ""
    return {
        "schemeKeys": [scheme],
        "methods": methods.split(),
        "paths": dict.fromkeys(templates, said),
        **more,
    }


def parsed(**permissions: object) -> Privileges:
    named = {name.replace("_", "."): each for name, each in permissions.items()}
    return Privileges.parse({"permissions": named}, scheme="Application")


def names(privileges: Privileges, method: str, path: str) -> list[str]:
    return [each.name for each in privileges.grants(Operation.of(method, ROOT + path))]


def test_what_is_documented_as_least_comes_first_then_the_lower_level() -> None:
    found = parsed(
        Directory_ReadWrite_All=permission(5, paths("GET", "/users/{id}", least=False)),
        User_Read_All=permission(4, paths("GET", "/users/{id}", least=False)),
        User_ReadBasic_All=permission(5, paths("GET", "/users/{id}")),
    )
    assert names(found, "GET", "/v1.0/users/7") == [
        "User.ReadBasic.All",
        "User.Read.All",
        "Directory.ReadWrite.All",
    ]


@pytest.mark.parametrize(
    ("template", "path"),
    [
        ("/users/{id}", "/beta/users/jane"),
        ("/users/{id}", "/v1.0/users('jane@contoso.com')"),
        ("/users/{id}", "/v1.0/Users/7?$select=id"),
        ("/users/{id}/sendmail", "/v1.0/users/jane/microsoft.graph.sendMail"),
        ("/reports/getusage(period={value})", "/v1.0/reports/getUsage(period='D7')"),
        ("/drives/{id}/root:/{path}:/content", "/v1.0/drives/d/root:/a/b.txt:/content"),
    ],
)
def test_a_template_is_met_however_the_path_is_spelled(template: str, path: str) -> None:
    assert names(parsed(A_B=permission(1, paths("GET", template))), "GET", path) == ["A.B"]


def test_a_name_goes_before_a_variable() -> None:
    found = parsed(
        A_Read=permission(1, paths("GET", "/users/{id}")),
        B_Read=permission(1, paths("GET", "/users/delta")),
    )
    assert names(found, "GET", "/v1.0/users/delta") == ["B.Read"]
    assert names(found, "GET", "/v1.0/users/7") == ["A.Read"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1.0/users/7"),
        ("GET", "/v1.0/users/7/messages"),
        ("GET", "/v1.0/users"),
        ("GET", "/v2/users/7"),
        ("GET", "/users/7"),
    ],
)
def test_what_the_document_does_not_know_is_not_guessed(method: str, path: str) -> None:
    assert names(parsed(A_B=permission(1, paths("GET", "/users/{id}"))), method, path) == []


def test_another_scheme_has_permissions_of_its_own() -> None:
    delegated = permission(1, paths("GET", "/me", scheme="DelegatedWork"), scheme="DelegatedWork")
    assert names(parsed(User_Read=delegated), "GET", "/v1.0/me") == []
    tree = {"permissions": {"User.Read": delegated}}
    found = Privileges.parse(tree, scheme="DelegatedWork")
    assert names(found, "GET", "/v1.0/me") == ["User.Read"]


def test_what_an_operation_takes_besides_is_kept() -> None:
    sets = paths("POST", "/groups", alsoRequires="(A.B | C.D)")
    (grant,) = parsed(E_F=permission(2, sets)).grants(Operation.of("POST", f"{ROOT}/v1.0/groups"))
    assert grant == Grant(name="E.F", least=True, level=2, also="(A.B | C.D)")


def grants(*named: tuple[str, int]) -> list[Grant]:
    return [
        Grant(name=name, least=not number, level=level)
        for number, (name, level) in enumerate(named)
    ]


def test_a_read_needs_nothing_that_the_write_has() -> None:
    read = grants(("A.Read", 3), ("A.ReadWrite", 4), ("Directory.ReadWrite", 5))
    write = grants(("A.ReadWrite", 4), ("Directory.ReadWrite", 5))
    other = grants(("B.Read", 1), ("Directory.ReadWrite", 5))
    assert smallest([read]) == ("A.Read",)
    assert smallest([read, write]) == ("A.ReadWrite",)
    assert smallest([read, write, other]) == ("A.ReadWrite", "B.Read")
    assert smallest([]) == ()


def test_of_sets_of_one_size_the_lower_levels_are_taken() -> None:
    one = grants(("High", 5), ("Low", 1))
    two = grants(("Low", 1), ("High", 5))
    assert smallest([one, two]) == ("Low",)


def test_many_permissions_are_chosen_in_turn() -> None:
    every = [grants((f"P{n:02}", 1), ("All", 2)) for n in range(20)]
    assert smallest(every) == tuple(f"P{n:02}" for n in range(20))
    assert smallest([*every, grants(("All", 2))]) == ("All",)


@pytest.mark.parametrize(
    ("tree", "said"),
    [
        ([], "it has no mapping `permissions`"),
        ({"permissions": []}, "it has no mapping `permissions`"),
        ({"permissions": {"A": 1}}, "permissions.A is no mapping"),
        ({"permissions": {"A": {"schemes": []}}}, "permissions.A.schemes is no mapping"),
        (
            {"permissions": {"A": {"schemes": {"Application": {}}, "pathSets": [NO_KEYS]}}},
            r"permissions.A.pathSets\[0\].schemeKeys is no list",
        ),
    ],
)  # fmt: skip
def test_another_file_is_refused_with_its_place(tree: object, said: str) -> None:
    with pytest.raises(PermissionsError, match=said):
        Privileges.parse(tree, scheme="Application")
