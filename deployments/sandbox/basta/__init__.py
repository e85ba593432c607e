"""Basta: documents are executed on the contract's schema, so that an unknown field fails its whole document."""

from __future__ import annotations

import inspect
from functools import lru_cache
from pathlib import Path
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    GraphQLError,
    GraphQLSchema,
    OperationDefinitionNode,
    build_schema,
    execute_sync,
    parse,
    validate,
)

from deployments.sandbox.basta.house import BastaOptions, House
from deployments.sandbox.basta.resolvers import Resolvers
from deployments.sandbox.wire import Reply, Request
from deployments.sandbox.world import World

SCHEMA = Path(__file__).with_name("schema.graphql")
BAD_DOCUMENT = 422


@lru_cache(maxsize=4)
def _schema(revision: str) -> GraphQLSchema:
    """The contract's schema; revision A leaves out the root fields that only B has."""
    text = SCHEMA.read_text()
    if revision == "A":
        lines = text.splitlines()
        text = "\n".join(line for line in lines if not ("# [B]" in line and "Polic" in line and line.startswith("  ")))
    return build_schema(text, assume_valid_sdl=True)


@lru_cache(maxsize=256)
def _prepared(revision: str, query: str) -> DocumentNode | list[GraphQLError]:
    document = parse(query)
    return validate(_schema(revision), document) or document


class Basta:
    """The vendor, as the world knows it."""

    name = "basta"

    def __init__(self, world: World, options: BastaOptions | None = None) -> None:
        self.world = world
        self.options = options or BastaOptions()
        self.house = House(world, self.options)
        self._resolvers = Resolvers(self.house)

    def operation(self, request: Request) -> str:
        """The first root field, or the upload."""
        if request.method == "PUT":
            return "PUT upload"
        try:
            return _first_field(request.json()["query"])
        except (ValueError, KeyError, TypeError, GraphQLError):
            return "unreadable"

    def throttled(self) -> Reply:
        """Too many requests."""
        return Reply.of({"errors": [{"message": "too many requests"}]}, 429)

    def broken(self) -> Reply:
        """An error inside."""
        return Reply(500, b"internal server error", {"content-type": "text/plain"})

    def handle(self, request: Request) -> Reply:
        """Answer a document, or take a picture."""
        if request.method == "PUT":
            return self._upload(request)
        headers = request.headers
        if headers.get("x-api-key") != self.options.api_key or headers.get("x-account-id") != self.options.account_id:
            return Reply.of({"data": None, "errors": [{"message": "unauthenticated"}]})
        try:
            body = request.json()
            query, variables = body["query"], body.get("variables") or {}
        except (ValueError, KeyError, TypeError, AttributeError):
            return Reply.of({"errors": [{"message": "the body is no JSON"}]}, 400)
        try:
            prepared = _prepared(self.options.revision, query)
        except GraphQLError as error:
            return _errors([error], "GRAPHQL_PARSE_FAILED")
        if isinstance(prepared, list):
            return _errors(prepared, "GRAPHQL_VALIDATION_FAILED")
        result = execute_sync(
            _schema(self.options.revision), prepared, variable_values=variables, field_resolver=self._resolve
        )
        answer: dict[str, Any] = {"data": result.data}
        if result.errors:
            answer["errors"] = [
                {"message": error.message, "path": error.path, "extensions": {}} for error in result.errors
            ]
        return Reply.of(answer)

    def _resolve(self, source: Any, info: Any, **arguments: Any) -> Any:
        """Root fields are methods; all others are entries, or functions of their arguments."""
        if info.parent_type.name in ("Query", "Mutation"):
            method = getattr(self._resolvers, info.field_name, None)
            if method is None:
                raise GraphQLError(f"the sandbox does not know {info.field_name}")
            if arguments.get("accountId") != self.options.account_id:
                raise GraphQLError("permission denied: this key is of another account")
            return method(**arguments)
        value = source.get(info.field_name) if isinstance(source, dict) else getattr(source, info.field_name, None)
        return value(info, **arguments) if inspect.isfunction(value) else value

    def _upload(self, request: Request) -> Reply:
        token = request.path.rsplit("/", 1)[-1]
        if token not in self.house.uploads:
            return Reply(404, b"no such upload")
        item, image = self.house.uploads[token]
        if request.headers.get("content-type") != image["contentType"] or not request.body:
            return Reply(403, b"the content type is not the one announced")
        if "x-api-key" in request.headers:
            return Reply(403, b"a key does not belong here")

        def show() -> None:
            if all(one["id"] != image["id"] for one in item.images):
                item.images.append({key: image[key] for key in ("id", "url", "order", "externalId")})

        self.world.after(self.options.image_lag_seconds, show, f"image {token}")
        return Reply(200, b"")


@lru_cache(maxsize=64)
def _first_field(query: str) -> str:
    for node in parse(query).definitions:
        if isinstance(node, OperationDefinitionNode):
            first = node.selection_set.selections[0]
            return first.name.value if isinstance(first, FieldNode) else "unreadable"
    return "unreadable"


def _errors(errors: list[GraphQLError], code: str) -> Reply:
    told = [{"message": error.message, "extensions": {"code": code}} for error in errors]
    return Reply.of({"data": None, "errors": told}, BAD_DOCUMENT)


__all__ = ["Basta", "BastaOptions"]
