"""What a cell is given where it runs."""

import pytest

from experiments.results.errors import UserError
from experiments.sweep.launch.ray import _variables
from experiments.sweep.launch.resources import Launch


def test_a_task_of_ray_without_a_gpu_works_on_the_cpu():
    """Ray hides no GPU from it: every task would take the first."""
    variables = _variables(Launch("ray"))
    assert variables["JAX_PLATFORMS"] == "cpu" and variables["CUDA_VISIBLE_DEVICES"] == ""


def test_a_task_with_a_part_of_a_gpu_takes_that_part_of_its_memory(monkeypatch):
    monkeypatch.delenv("JAX_PLATFORMS", raising=False)
    variables = _variables(Launch("ray", gpus=0.25))
    assert variables["XLA_PYTHON_CLIENT_MEM_FRACTION"] == "0.23"  # 0.9 x 0.25, rounded
    assert not variables.keys() & {"JAX_PLATFORMS", "CUDA_VISIBLE_DEVICES"}


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"gpus": float("inf")}, "gpus must be a number from 0 to 1,024, not inf"),
        ({"hours": float("nan")}, "hours must be a number above 0"),
        ({"gpus": 1.5}, "whole ones"),
        ({"launcher": "slurm", "gpus": 0.5}, "whole GPUs only"),
    ],
)
def test_what_no_machine_has_is_refused(asked, says):
    with pytest.raises(UserError, match=says):
        Launch(**asked)
