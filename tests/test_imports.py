"""Imports go one way, experiments -> agents -> popjax, and keys are typed."""

import ast
import graphlib
import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
MAY_IMPORT = {
    "popjax": {"popjax"},
    "agents": {"agents", "popjax"},
    "agents/memory": {"agents"},
    "experiments": {"experiments", "agents", "popjax"},
}
FOLDERS = ("results", "train", "reports", "bench", "search", "sweep", "bridge", "explorer", "cli")
"""Of experiments: each may import those before it."""
STUDIES = ("same_deck", "verdict", "factorial", "loop", "forgetting", "compare")
"""Of experiments/bridge: none imports another."""
REGISTRY = {
    *("popjax.registry", "popjax.make", "popjax.ENVS", "popjax.FAMILIES", "popjax.register"),
    "popjax.families.FAMILIES",
}
"""What finds an environment by its name, or gives it one."""
NO_CIRCLES = ("popjax", "agents", "experiments")


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


def graph(folders):
    """Which of our modules each module imports, wherever in the file: in functions too."""
    paths = [path for folder in folders for path in (ROOT / folder).rglob("*.py")]
    modules = {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in paths}
    modules = {name.removesuffix(".__init__"): path for name, path in modules.items()}
    return {
        name: {other for other in names_imported(path) if other in modules} - {name}
        for name, path in modules.items()
    }


def part_of(module, depth):
    """`experiments.bridge.loop.config` is part of `bridge` at depth 1 and of `loop` at depth 2."""
    parts = module.split(".")
    return parts[depth] if len(parts) > depth else None


def test_folders_of_experiments_import_one_way():
    for module, imported in graph(["experiments"]).items():
        for other in imported:
            here, there = part_of(module, 1), part_of(other, 1)
            if here and there:
                assert FOLDERS.index(there) <= FOLDERS.index(here), f"{module} imports {other}"


def test_no_study_imports_another():
    for module, imported in graph(["experiments/bridge"]).items():
        for other in imported:
            pair = {part_of(module, 2), part_of(other, 2)} & set(STUDIES)
            assert len(pair) < 2, f"{module} imports {other}"


def test_no_circle_of_files():
    """A package's own `__init__` stands for what it exports, not for a file that imports."""
    found = graph(NO_CIRCLES)
    inits = {name for name in found if (ROOT.joinpath(*name.split("."))).is_dir()}
    files = {name: imported - inits for name, imported in found.items() if name not in inits}
    tuple(graphlib.TopologicalSorter(files).static_order())  # a CycleError names the files


def test_nothing_lies_loose_on_top_of_experiments():
    loose = {path.name for path in (ROOT / "experiments").iterdir() if path.is_file()}
    assert loose == {"__init__.py", "py.typed"}


def test_agents_are_handed_an_environment_and_never_ask_the_registry():
    for path in (ROOT / "agents").rglob("*.py"):
        asked = {name for name in names_imported(path) if name in REGISTRY}
        text = path.read_text("utf-8")
        whole = re.search(r"(?m)^\s*import popjax\b(?!\.)", text)
        assert not asked and not whole, f"{path.relative_to(ROOT)} imports {asked or 'popjax'}"
        assert not re.search(r"""["']popjax\.registry""", text), f"{path.relative_to(ROOT)}"


def test_keys_are_typed():
    for folder in ("popjax", "agents", "experiments", "tests"):
        for path in (ROOT / folder).rglob("*.py"):
            old = [n for n in ast.walk(ast.parse(path.read_text("utf-8"))) if _is_old_key(n)]
            assert not old, f"{path.relative_to(ROOT)}, line {old[0].lineno}: use jax.random.key"


def _is_old_key(node):
    return "PRNGKey" in (getattr(node, "attr", None), getattr(node, "id", None))
