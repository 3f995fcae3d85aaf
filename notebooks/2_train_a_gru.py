# %% [markdown]
# # Train a GRU and see it remember
#
# In RepeatPreviousEasy the agent sees one card per step and must name the suit of three cards ago.
# The best return without memory is about -0.49; perfect memory earns 1.

# %%
import os
import tempfile
from pathlib import Path

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

import agents
import popjax
from agents.inputs import agent_input
from popjax import scores

SMOKE = "POPJAX_SMOKE" in os.environ
print(jax.devices()[0].device_kind, "jax", jax.__version__)

# %% [markdown]
# `agents.train` trains all seeds in one compiled program. A search found these settings; on the
# command line, `popjax train RepeatPreviousEasy --memory gru --settings fast` uses them, too.

# %%
env = popjax.make("RepeatPreviousEasy")
trained = agents.train(
    env,
    memory="gru",
    total_steps=16_384 if SMOKE else 163_840,
    seeds=2,
    features=32,
    num_segments=2 if SMOKE else 10,
    num_envs=8,
    learning_rate=0.0086,
    gamma=0.1,
    gae_lambda=0.54,
    value=0.97,
)

# %% [markdown]
# In this task actions never affect later observations, so a discount near 0 loses nothing and keeps
# the noise of later rewards out of the gradient. The search found that by itself.

# %%
for greedy in (False, True):
    returns = trained.evaluate(episodes=256, greedy=greedy).mean(axis=1)
    print("greedy" if greedy else "sampled", "return by seed", returns.round(3))

# %%
figure, panel = plt.subplots(figsize=(6, 3))
for seed, curve in zip(trained.seeds, trained.curves["return"], strict=True):
    panel.plot(trained.curves["step"] / 1000, curve, linewidth=1, label=f"seed {seed}")
panel.axhline(scores.scores("RepeatPreviousEasy")["memoryless"]["mean"], color="0.6", linestyle=":")
panel.text(1, -0.49, "best without memory", ha="right", va="bottom", color="0.4",
           transform=panel.get_yaxis_transform())  # fmt: skip
panel.legend(frameon=False, loc="center right")
panel.set(xlabel="environment steps per seed (thousands)", ylabel="mean return", ylim=(-0.6, 1.05))
panel.spines[["top", "right"]].set_visible(False)

# %% [markdown]
# A policy is one file of arrays and JSON; one line loads it.

# %%
path = Path(tempfile.mkdtemp()) / "gru.npz"
trained.save(path)
policy = agents.load(path)
policy

# %% [markdown]
# Does it remember? Show it the same deck twice, with one card changed, and see for how long the
# difference matters: the policy should change three steps later, and only there.

# %%
T = 24
suits = jax.random.randint(jax.random.key(1), (T,), 0, 4)
changed = suits.at[8].set((suits[8] + 1) % 4)
start = jnp.zeros((T, 1), bool).at[0].set(True)


def policy_along(obs):
    x = agent_input(env, obs[:, None], jnp.zeros((T, 1), jnp.int32), start, "obs+action")
    network = policy.agent.network
    _, logits, _ = network.apply(policy.params, network.initial_carry(1), x, start)
    return jax.nn.softmax(logits[:, 0])


moved = np.abs(policy_along(suits) - policy_along(changed)).sum(axis=-1) / 2
figure, panel = plt.subplots(figsize=(6, 2.5))
panel.bar(np.arange(T) - 8, moved, color="#c2410c")
panel.axvline(0, color="0.7", linestyle=":")
panel.text(-0.2, 0.5, "the card\nchanges", ha="right", va="center", color="0.4")
panel.set(xlabel="steps since the changed card", ylabel="change of the policy\n(total variation)")
panel.set_xticks(range(-6, 16, 3))
panel.spines[["top", "right"]].set_visible(False)
