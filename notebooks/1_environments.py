# %% [markdown]
# # Environments in five minutes
#
# POPGym measures what an agent remembers when its observations are incomplete. Here its 16 families
# are pure functions: make one, step it, run a thousand episodes in parallel, look at it.

# %%
import os
import time

import jax
import jax.numpy as jnp

import popjax
from popjax import scores

SMOKE = "POPJAX_SMOKE" in os.environ  # small sizes, for the checks
print(jax.devices()[0].device_kind, "jax", jax.__version__)

# %% [markdown]
# An environment is a frozen dataclass, which is its own configuration and static under `jit`. A
# level of difficulty is an instance.

# %%
env = popjax.make("MineSweeperEasy")
print(env)
print(env.observation_space, env.action_space, "at most", env.max_steps, "steps")
print(popjax.make("RepeatPreviousEasy", k=8))

# %% [markdown]
# `reset` and `step` are pure. There is no automatic reset: `terminated` and `truncated` say how an
# episode ended.

# %%
key_reset, key_step = jax.random.split(jax.random.key(4))
state, timestep = env.reset(key_reset)
state, timestep = jax.jit(env.step)(key_step, state, jnp.array([1, 2]))
print("obs", timestep.obs, "reward", timestep.reward, "last", timestep.last)

# %% [markdown]
# The picture shows what the agent sees; `reveal=True` adds what is hidden, in violet.

# %%
env.render(state, timestep)

# %%
env.render(state, timestep, reveal=True)

# %% [markdown]
# Many episodes in parallel. `batch.step` resets only the episodes that ended, so resets cost in
# proportion to how many ended, not to how many there are.

# %%
num_envs, num_steps = (256, 64) if SMOKE else (8192, 256)
cards = popjax.make("RepeatPreviousEasy")


@jax.jit
def rollout(key):
    key_reset, key_steps, key_actions = jax.random.split(key, 3)
    states, _ = popjax.batch.reset(cards, key_reset, num_envs)
    actions = jax.random.randint(key_actions, (num_steps, num_envs), 0, 4)

    def step(states, inputs):
        key, actions = inputs
        states, timesteps = popjax.batch.step(cards, key, states, actions)
        return states, timesteps.reward

    keys = jax.random.split(key_steps, num_steps)
    return jax.lax.scan(step, states, (keys, actions))[1].sum()


rollout(jax.random.key(0)).block_until_ready()
began = time.perf_counter()
rollout(jax.random.key(1)).block_until_ready()
rate = num_envs * num_steps / (time.perf_counter() - began)
print(f"{rate / 1e6:.1f} million steps per second")

# %% [markdown]
# What is a good score? `popjax.scores` has random play, the best policy without memory, a reference
# player and the published scores of every task, each with its source.

# %%
known = scores.scores("CountRecallEasy")
for kind, score in known.items():
    print(f"{kind:28} {score['mean']:6.3f}")

# %% [markdown]
# Scripted players can play, too: here one that counts cards.

# %%
from popjax.players import make_player, play

env = popjax.make("CountRecallEasy")
episodes = play(env, make_player(env, "reference"), jax.random.key(0), 32)
print("mean return", float(episodes.returns.mean()))
