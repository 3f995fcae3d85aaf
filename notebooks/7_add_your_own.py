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
from flax import struct

from agents.hyperparams import Hyperparams
from agents.memory import Memory
from agents.networks import ActorCritic, Backbone
from agents.ppo import PPOConfig, make_train
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
# Train it: `init` and `segment` are pure; here compiled segments run one after another.

# %%
network = ActorCritic(Backbone((Fading(32),)), num_actions=2, head_features=32)
config = PPOConfig(num_envs=32, num_steps=36, num_epochs=4, num_minibatches=2)
init, segment = make_train(env, network, config)
hyperparams = Hyperparams(learning_rate=2e-3)
num_updates = 10 if SMOKE else 60
state = jax.jit(init)(jax.random.key(0), hyperparams, num_updates)
advance = jax.jit(segment, static_argnums=2)
for _ in range(num_updates // 10):
    state, metrics = advance(state, hyperparams, 10)
    print(f"return {float(metrics['return'][-1]):.2f}")

# %% [markdown]
# Every memory must obey the laws in `tests/agents/memory/test_laws.py`: single steps equal the
# sequence, a start resets the carry, nothing leaks between sequences. A new model in `MEMORIES` is
# tested against them.
