# %% [markdown]
# # popjax from PureJaxRL, rejax, Stoix and Gymnasium code
#
# The adapters return what other libraries expect: gymnax with its own spaces, five values per step,
# Stoa time steps with separate truncation, Gymnasium with NumPy arrays.

# %%
import jax
import numpy as np

import popjax

env = popjax.make("RepeatPreviousEasy")

# %% [markdown]
# **PureJaxRL, rejax, memorax**: `reset(key, params)` and five values a step, automatic reset.

# %%
from popjax.adapters.five_value import FiveValueStep

five = FiveValueStep(env, flat_obs=True)
obs, state = five.reset(jax.random.key(0), five.default_params)
obs, state, reward, done, info = five.step(jax.random.key(1), state, 2, five.default_params)
print(obs, reward, done, sorted(info))

# %% [markdown]
# **gymnax 1**: six values, and `gymnax.make` knows all 48 ids.

# %%
import gymnax

from popjax.adapters.gymnax import register_with_gymnax

ids = register_with_gymnax()
theirs, params = gymnax.make("RepeatPreviousEasy")
print(len(ids), theirs.observation_space(params), params.max_steps_in_episode)

# %% [markdown]
# **Stoa and Stoix**: termination and truncation stay separate.

# %%
from popjax.adapters.stoa import to_stoa

stoa_env = to_stoa(env, flat_obs=True)
state, timestep = stoa_env.reset(jax.random.key(0))
state, timestep = stoa_env.step(state, 1)
print(timestep.step_type, timestep.reward, timestep.discount)

# %% [markdown]
# **Gymnasium**, one episode or many: NumPy out, Python flags.

# %%
from popjax.adapters.gymnasium import GymnasiumEnv, GymnasiumVectorEnv

one = GymnasiumEnv(env)
obs, _ = one.reset(seed=0)
total, over = 0.0, False
while not over:
    obs, reward, terminated, truncated, _ = one.step(one.action_space.sample())
    total, over = total + reward, terminated or truncated
print("return of random play", round(total, 3))

many = GymnasiumVectorEnv(env, num_envs=64)
obs, _ = many.reset(seed=0)
actions = np.zeros(64, np.int64)
obs, rewards, *_ = many.step(actions)
print(obs.shape, rewards.mean())

# %% [markdown]
# Gymnasium's `render_mode` works, too: a random walk in a labyrinth after 0, 10 and 30 steps.

# %%
import matplotlib.pyplot as plt

walk = GymnasiumEnv(popjax.make("LabyrinthExploreEasy"), render_mode="rgb_array")
walk.reset(seed=1)
walk.action_space.seed(1)
figure, panels = plt.subplots(1, 3, figsize=(9, 3.2))
for panel, num_steps in zip(panels, (0, 10, 20), strict=True):
    for _ in range(num_steps):
        walk.step(walk.action_space.sample())
    panel.imshow(walk.render())
    panel.set_axis_off()
figure.tight_layout()
