"""Settings as others published them, whole: `popjax train ID --settings paper` or `popjaxrl`.

Sources: POPGym (Morad et al. 2023, arXiv 2303.01859), its launcher at tag `paper`, and RLlib's PPO
for what that leaves unset; popjaxrl (Lu et al. 2023, arXiv 2303.03982), its `run_popgym.py`.
Where this project's PPO is not theirs: rollouts are 1,024 steps of 64 environments that go on from
update to update, and an episode that an update cuts is bootstrapped there, while RLlib waits for
whole episodes; the KL penalty adapts to the last pass instead of the mean of all; the value's
squared error has no factor 1/2, so popjaxrl's coefficient of 1 is 0.5 here.
"""

from __future__ import annotations

import math
from dataclasses import replace

from agents.ppo import PPOConfig
from experiments.results.spec import NetworkConfig, Settings

PAPER = Settings(
    total_steps=15_000_000,
    seeds=3,
    num_segments=76,  # of 3 of the 228 updates
    network=NetworkConfig(features=256, head_features=128, style="paper"),
    ppo=PPOConfig(
        num_envs=64,
        num_steps=1024,
        num_epochs=30,
        num_minibatches=8,  # of 8,192 steps
        inputs="obs+action",
        schedule="constant",
        normalise_advantages="batch",
    ),
    hyperparams={
        "learning_rate": 5e-5,
        "gamma": 0.99,
        "gae_lambda": 1.0,
        "clip": 0.3,
        "kl": 0.2,
        "kl_target": 0.01,
        "entropy": 0.0,
        "value": 1.0,
        "value_cut": 10.0,
        "value_clip": math.inf,
        "max_grad_norm": math.inf,
        "adam_eps": 1e-8,
    },
)

POPJAXRL = Settings(
    total_steps=15_000_000,
    num_segments=76,
    network=NetworkConfig(features=256, head_features=128, style="popjaxrl"),
    ppo=PPOConfig(
        num_envs=64,
        num_steps=1024,
        num_epochs=30,
        num_minibatches=8,
        inputs="obs+action",
        schedule="constant",
        normalise_advantages="minibatch",
    ),
    hyperparams={
        "learning_rate": 5e-5,
        "gamma": 0.99,
        "gae_lambda": 1.0,
        "clip": 0.2,
        "kl": 0.0,
        "entropy": 0.0,
        "value": 0.5,
        "value_cut": math.inf,
        "value_clip": 0.2,
        "max_grad_norm": 0.5,
        "adam_eps": 1e-5,
    },
)


def paper(env: str, memory: str) -> Settings:
    """The paper's settings, the same for every environment and memory."""
    return PAPER


def popjaxrl(env: str, memory: str) -> Settings:
    """popjaxrl's settings: four layers of S5, one of any other memory."""
    if memory != "s5":
        return POPJAXRL
    return replace(POPJAXRL, network=replace(POPJAXRL.network, num_layers=4))
