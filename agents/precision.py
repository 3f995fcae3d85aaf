"""How exactly matrix products are computed."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Literal

import jax

Precision = Literal["default", "float32", "bfloat16"]


def products(precision: Precision) -> AbstractContextManager:
    """While it lasts, matrix products are traced with factors of that precision and sums in
    float32; parameters, carries, gradients and the optimiser's state stay float32.

    "default" is the backend's own choice (TensorFloat-32 on recent GPUs). "bfloat16" is for GPUs
    and TPUs: a CPU has no faster product for it and computes in float32.

    >>> with products("bfloat16"):
    ...     text = jax.jit(lambda x: x @ x).lower(jax.numpy.ones((8, 8))).as_text()
    >>> "algorithm" in text and "bf16" in text
    True
    """
    if precision == "default":
        return nullcontext()
    names = {"float32": "highest", "bfloat16": "BF16_BF16_F32"}
    return jax.default_matmul_precision(names[precision])
