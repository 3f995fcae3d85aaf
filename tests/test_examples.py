"""What a newcomer meets explains itself by an example that runs (under `--doctest-modules`)."""

import ast
import importlib.util
import inspect
from pathlib import Path

import agents
import agents.memory
import popjax

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("[0-9]_*.py"))
PACKAGES = {"popjax", "agents", "experiments"}


def imported(source: str) -> set[str]:
    """The modules of ours that a script imports, or imports names from."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom):
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return {name for name in found if name.split(".")[0] in PACKAGES and _is_module(name)}


def _is_module(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:  # it would lie in something that is no package
        return False


def exported(module) -> dict[str, object]:
    """The names that a package says are its own."""
    return {f"{module.__name__}.{name}": getattr(module, name) for name in module.__all__}


def defined(module) -> dict[str, object]:
    """The public functions and classes that a module itself holds."""
    return {
        f"{module.__name__}.{name}": thing
        for name, thing in vars(module).items()
        if not name.startswith("_") and getattr(thing, "__module__", None) == module.__name__
    }


def public() -> dict[str, object]:
    """Functions and classes by full names: exported, or of a module that a notebook shows."""
    things = {}
    for package in (popjax, agents, agents.memory):
        things |= exported(package)
    modules = set().union(*(imported(path.read_text()) for path in NOTEBOOKS))
    modules |= {thing.__name__ for thing in things.values() if inspect.ismodule(thing)}
    for name in sorted(modules):
        things |= defined(importlib.import_module(name))
    ours = (thing for thing in things.items() if _is_ours(thing[1]))
    return {name: thing for name, thing in ours if name not in COMMANDS}


def _is_ours(thing: object) -> bool:
    package = (getattr(thing, "__module__", None) or "").split(".")[0]
    return package in PACKAGES and (inspect.isfunction(thing) or inspect.isclass(thing))


COMMANDS = {"popjax.scores.main"}  # explains itself with --help


def test_the_walk_finds_what_notebooks_show():
    script = "from agents.ppo import PPOConfig\nfrom popjax import make, scores\nimport jax"
    assert imported(script) == {"agents.ppo", "popjax", "popjax.scores"}
    found = public()
    for name in ("popjax.make", "popjax.batch.step", "agents.load", "agents.memory.Memory"):
        assert name in found
    for name in ("bridge.measures.probes.probe", "explorer.page.Embedded"):
        assert f"experiments.{name}" in found
    assert "agents.memory.Carry" not in found, "a name for any pytree, with no words of its own"


def test_every_public_name_has_an_example():
    lacking = [name for name, thing in public().items() if ">>>" not in (thing.__doc__ or "")]
    assert not lacking, "these have no example: " + ", ".join(lacking)
