"""`tools/graph_model.py`: what it reads out of the packages."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

BUILDER = """
class GroupsRequestBuilder(BaseRequestBuilder):
    def __init__(self, request_adapter, path_parameters):
        super().__init__(request_adapter, "{+baseurl}/groups/{id}/TEMPLATE", path_parameters)

    async def get(self,request_configuration=None) -> Optional[UserCollectionResponse]:
        from ..models.user_collection_response import UserCollectionResponse

        return await self.request_adapter.send_async(request_info, UserCollectionResponse, errors)

    async def post(self,body: AddPostRequestBody, request_configuration=None) -> None:
        from .add_post_request_body import AddPostRequestBody

        return await self.request_adapter.send_primitive_async(request_info, "Level", errors)

    def to_get_request_information(self) -> None:
        pass
"""
BODY = """
class AddPostRequestBody(Parsable):
    def get_field_deserializers(self,):
        from ..models.user import User

        fields = {
            "count": lambda n : setattr(self, 'count', n.get_int_value()),
            "users": lambda n : setattr(self, 'users', n.get_collection_of_object_values(User)),
        }
"""
TYPES = """
export type Level = "low" | "high";
export interface Entity {
    // The id: not a property
    id?: string;
}
export interface User extends Entity {
    /** Possible values are: low, high; */
    level?: NullableOption<Level>;
    manager?: NullableOption<
        User
    >;
    "odata@x"?: string;
}
export namespace CallRecords {
    type Kind =
        | "one"
        | "two";
    interface Call extends microsoftgraph.Entity {
        kind?: NullableOption<Kind[]>;
        caller?: microsoftgraph.User;
    }
}
"""


def tool() -> Any:  # noqa: ANN401 - a script, not a package
    path = Path(__file__).parents[2] / "tools" / "graph_model.py"
    spec = importlib.util.spec_from_file_location("graph_model", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def model(folder: Path, template: str) -> Any:  # noqa: ANN401 - likewise
    generated = folder / "generated"
    (generated / "models").mkdir(parents=True)
    (generated / "groups").mkdir()
    (generated / "groups" / "groups_request_builder.py").write_text(
        BUILDER.replace("TEMPLATE", template)
    )
    (generated / "groups" / "add_post_request_body.py").write_text(BODY)
    (folder / "types.d.ts").write_text(TYPES)
    return tool().Model(generated, folder / "types.d.ts")


def test_types_and_enums_are_read_with_their_namespaces(tmp_path: Path) -> None:
    made = model(tmp_path, "members")
    assert made.enums == {"level": ["low", "high"], "callrecords.kind": ["one", "two"]}
    assert made.types["user"] == ["entity", {"level": "level", "manager": "user", "odata@x": ""}]
    assert made.types["entity"] == ["", {"id": ""}]
    call = ["entity", {"kind": "callrecords.kind[]", "caller": "user"}]
    assert made.types["callrecords.call"] == call
    assert made.names["callrecords.call"] == "call"


def test_operations_have_options_answers_and_bodies(tmp_path: Path) -> None:
    made = model(tmp_path, "graph.member/$count{?%24filter,includeAll*}")
    at = made.paths["groups"]["{}"]["member"]["$count"][""]
    assert made.options[at["GET"][0]] == ["$filter", "includeAll"]
    body = "!groups/add_post_request_body"
    assert (at["GET"][1:], at["POST"]) == (["user[]", ""], [-1, "=level", body])
    assert made.types[body] == ["", {"count": "", "users": "user[]"}]


def test_functions_are_spelled_as_requests_are(tmp_path: Path) -> None:
    template = "view(start='{start}',n={n})?end={end}{&%24top}"
    made = model(tmp_path, template)
    at = made.paths["groups"]["{}"]["view(start={value},n={value})"][""]["GET"]
    assert made.options[at[0]] == ["$top", "end"]
