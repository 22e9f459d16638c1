"""Which nodes ComfyUI Manager finds in the pack without running it. It looks missing nodes of a workflow up in that list."""

from __future__ import annotations

import ast


def node_ids(source: str) -> list[str]:
    """Ids of the nodes in a file, by the Manager's rule.

    A node is a class whose base is written `ComfyNode` or `….ComfyNode`; its id is the text given as `node_id` to the first
    call of `Schema` or `….Schema` in its `define_schema`. Other classes, and ids that are computed, are not found.
    """
    classes = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ClassDef)]
    nodes = [found for found in classes if any(_last_name(base) == "ComfyNode" for base in found.bases)]
    return [identifier for node in nodes if (identifier := _id_of(node)) is not None]


def _id_of(node: ast.ClassDef) -> str | None:
    for method in node.body:
        if isinstance(method, ast.FunctionDef) and method.name == "define_schema":
            for call in ast.walk(method):
                if isinstance(call, ast.Call) and _last_name(call.func) == "Schema":
                    given = next((word.value for word in call.keywords if word.arg == "node_id"), None)
                    if isinstance(given, ast.Constant) and isinstance(given.value, str):
                        return given.value
    return None


def _last_name(expression: ast.expr) -> str | None:
    if isinstance(expression, ast.Attribute):
        return expression.attr
    return expression.id if isinstance(expression, ast.Name) else None
