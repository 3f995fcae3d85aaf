"""Cells that train for a moment."""

from agents.ppo import PPOConfig
from experiments.results.spec import NetworkConfig, Settings
from experiments.train.cell import cell


def tiny(env="RepeatFirstEasy", memory="mlp", *, regime="ppo", updates=2, **settings):
    """A cell of two updates in two segments, with a network of width 8."""
    ppo = PPOConfig(num_envs=8, num_steps=16, num_epochs=1, num_minibatches=2)
    chosen = Settings(
        **{
            "total_steps": updates * ppo.steps_per_update,
            "seeds": 2,
            "num_segments": 2,
            "eval_episodes": 8,
            "network": NetworkConfig(features=8, head_features=8),
            "ppo": ppo,
            **settings,
        }
    )
    return cell(env, memory, chosen, regime)
