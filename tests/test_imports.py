"""Imports go one way, experiments -> agents -> popjax, and keys are typed."""

import ast
from pathlib import Path

ROOT = Path(__file__).parent.parent
MAY_IMPORT = {
    "popjax": {"popjax"},
    "agents": {"agents", "popjax"},
    "agents/memory": {"agents"},
    "experiments": {"experiments", "agents", "popjax"},
}


def names_imported(path):
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: import by full names"
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_imports_go_one_way():
    for folder, allowed in MAY_IMPORT.items():
        for path in (ROOT / folder).rglob("*.py"):
            ours = {name.split(".")[0] for name in names_imported(path)} & set(MAY_IMPORT)
            assert ours <= allowed, f"{path.relative_to(ROOT)} imports {ours - allowed}"


def test_agents_are_handed_an_environment_and_never_ask_the_registry():
    for path in (ROOT / "agents").rglob("*.py"):
        asked = [name for name in names_imported(path) if name.startswith("popjax.registry")]
        assert not asked, f"{path.relative_to(ROOT)} imports {asked}"


def test_keys_are_typed():
    for folder in ("popjax", "agents", "experiments", "tests"):
        for path in (ROOT / folder).rglob("*.py"):
            old = [n for n in ast.walk(ast.parse(path.read_text("utf-8"))) if _is_old_key(n)]
            assert not old, f"{path.relative_to(ROOT)}, line {old[0].lineno}: use jax.random.key"


def _is_old_key(node):
    return "PRNGKey" in (getattr(node, "attr", None), getattr(node, "id", None))
