"""The environments under the interfaces of other packages: gymnax, its older five-value step, Stoa,
Gymnasium. Each module imports that package, so import only the one you need:

    from popjax.adapters.gymnasium import GymnasiumEnv
"""

from __future__ import annotations

import importlib
from types import ModuleType


def neighbour(module: str, extra: str) -> ModuleType:
    """The module of another package; an ImportError of one line if that is not installed."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        package = module.split(".")[0]
        if error.name != package:
            raise  # it is there, but something of its own is missing
        raise ImportError(
            f"this adapter needs the package {package}: pip install 'popjax[{extra}]'"
        ) from None
