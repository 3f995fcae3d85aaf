# %% [markdown]
# # Add your own environment and memory model
#
# A new environment is a state and a frozen dataclass with `reset` and `transition`; a new memory
# maps sequences to sequences and resets its carry wherever `start` says so. Either takes one file
# and one line in a registry; in a notebook no registry is needed.

# %%
import os
from dataclasses import dataclass

import flax.linen as nn
import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
from flax import struct

import agents
from agents.memory import Memory
from popjax import Discrete
from popjax.core import Environment, first, then

SMOKE = "POPJAX_SMOKE" in os.environ

# %% [markdown]
# **The environment**: a bit is shown once, then zeros; at the end of the episode, name the bit.


# %%
class State(struct.PyTreeNode):
    bit: jax.Array
    t: jax.Array


@dataclass(frozen=True)
class Delay(Environment):
    wait: int = 8

    @property
    def max_steps(self):
        return self.wait + 1

    @property
    def observation_space(self):
        return Discrete(3)

    @property
    def action_space(self):
        return Discrete(2)

    def reset(self, key):
        bit = jax.random.randint(key, (), 0, 2)
        return State(bit, jnp.int32(0)), first(1 + bit)

    def transition(self, key, state, action):
        last = state.t == self.wait
        right = jnp.where(action == state.bit, 1.0, -1.0)
        timestep = then(obs=jnp.int32(0), reward=jnp.where(last, right, 0.0), terminated=last)
        return state.replace(t=state.t + 1), timestep


env = Delay()

# %% [markdown]
# **The memory**: an exponential average with one learned decay per channel. Time first, batch
# second; the carry of sequence `b` is reset wherever `start[t, b]`.


# %%
class Fading(Memory):
    """h' = a h + (1 - a) W x, with a = sigmoid(learned)."""

    @nn.nowrap
    def initial_carry(self, batch_size):
        return jnp.zeros((batch_size, self.features))

    @nn.compact
    def __call__(self, carry, x, start):
        keep = nn.sigmoid(self.param("keep", nn.initializers.constant(3.0), (self.features,)))
        x = nn.Dense(self.features)(x)

        def step(h, inputs):
            x, start = inputs
            h = jnp.where(start[:, None], 0.0, h)
            h = keep * h + (1 - keep) * x
            return h, h

        carry, y = jax.lax.scan(step, carry, (x, start))
        return carry, y


# %% [markdown]
# Train it. In a file `delay.py`, the same on the command line is
# `popjax train delay:Delay --memory delay:Fading`.

# %%
trained = agents.train(
    env,
    memory=Fading,
    total_steps=20_000 if SMOKE else 70_000,
    features=32,
    num_segments=6,
    num_envs=32,
    num_steps=36,
    num_minibatches=2,
    learning_rate=2e-3,
)
figure, panel = plt.subplots(figsize=(6, 2.5))
panel.plot(trained.curves["step"] / 1000, trained.curves["return"][0], color="#c2410c")
panel.axhline(0, color="0.6", linestyle=":")
panel.text(1, 0, "guessing", ha="right", va="bottom", color="0.4",
           transform=panel.get_yaxis_transform())  # fmt: skip
panel.set(xlabel="environment steps (thousands)", ylabel="mean return", ylim=(-0.3, 1.05))
panel.spines[["top", "right"]].set_visible(False)

# %% [markdown]
# Every memory must obey the laws in `tests/agents/memory/test_laws.py`: single steps equal the
# sequence, a start resets the carry, nothing leaks between sequences. A new model in `MEMORIES` is
# tested against them.
