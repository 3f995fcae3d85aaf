# %% [markdown]
# # Look into a memory
#
# What does the state of a trained network hold? Three views of a small GRU that was trained to name
# the suit of three cards ago: probes in nats, the Jacobian by lag, and the geometry of the state.

# %%
import os

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

import agents
import popjax
from agents.inputs import agent_input
from experiments.bridge.measures.probes import ask, probe

SMOKE = "POPJAX_SMOKE" in os.environ

# %%
env = popjax.make("RepeatPreviousEasy")
policy = agents.train(
    env,
    memory="gru",
    total_steps=16_384 if SMOKE else 163_840,
    features=32,
    num_segments=2 if SMOKE else 5,
    num_envs=8,
    learning_rate=0.0086,
    gamma=0.1,
    gae_lambda=0.54,
    value=0.97,
).policy()
network = policy.agent.network

# %% [markdown]
# New decks, the same for all views. The control is an untrained network of the same shape: it
# remembers something too, as an echo does.

# %%
N, T = (512, 20) if SMOKE else (3000, 30)
deck = jnp.tile(jnp.arange(4), 13)
keys = jax.random.split(jax.random.key(7), N)
suits = jax.vmap(lambda key: jax.random.permutation(key, deck)[:T])(keys).T  # [T, N]
start = jnp.zeros((T, N), bool).at[0].set(True)
x = agent_input(env, suits, jnp.zeros_like(suits), start, "obs")
previous = jnp.zeros((T, N, env.action_space.flat_size))
x = jnp.concatenate([x[..., :4], previous, x[..., 4:]], axis=-1)
untrained = network.init(jax.random.key(0), network.initial_carry(1), x[:1, :1], start[:1, :1])


@jax.jit
def states(params):
    backbone = {"params": params["params"]["backbone"]}
    carry = network.backbone.initial_carry(N)
    return network.backbone.apply(backbone, carry, x, start)[1]


trained_states = np.asarray(states(policy.params))
untrained_states = np.asarray(states(untrained))

# %% [markdown]
# **Probes.** How many nats about the card seen `lag` steps before can be decoded from the last
# state? The maximum is ln 4 = 1.386.

# %%
lags = range(0, 8)
decoded = {"trained": [], "untrained": []}
for lag in lags:
    question = ask(np.asarray(suits[T - 1 - lag]), 4)
    answer = probe(np.stack([trained_states[-1], untrained_states[-1]]), question)
    for name, nats in zip(decoded, answer.information, strict=True):
        decoded[name].append(nats)

figure, panel = plt.subplots(figsize=(6, 3))
panel.axhline(np.log(4), color="0.7", linestyle=":")
for name, color in (("untrained", "0.6"), ("trained", "#c2410c")):
    panel.plot(lags, decoded[name], color=color)
    panel.text(lags[-1] + 0.1, decoded[name][-1], name, color=color, va="center")
panel.set(xlabel="lag (steps)", ylabel="decoded (nats)")
panel.spines[["top", "right"]].set_visible(False)

# %% [markdown]
# **Sensitivity.** How much does the last output change with the input of `lag` steps before?


# %%
@jax.jit
@jax.vmap
def gradient(x):
    def last_logits(x):
        carry = network.initial_carry(1)
        return network.apply(policy.params, carry, x[:, None], start[:, :1])[1][-1, 0]

    return jnp.sqrt(jnp.sum(jax.jacrev(last_logits)(x) ** 2, axis=(0, 2)))


by_lag = np.asarray(gradient(jnp.moveaxis(x[:, :64], 1, 0))).mean(axis=0)[::-1]
figure, panel = plt.subplots(figsize=(6, 2.5))
panel.bar(range(12), by_lag[:12] / by_lag.sum(), color="#c2410c")
panel.set(xlabel="lag (steps)", ylabel="share of the gradient")
panel.spines[["top", "right"]].set_visible(False)

# %% [markdown]
# **Geometry.** The two directions in which states differ most between the four possible answers of
# the next step (the card of two steps ago).

# %%
asked_next = np.asarray(suits[T - 3])
last = trained_states[-1] - trained_states[-1].mean(axis=0)
means = np.stack([last[asked_next == suit].mean(axis=0) for suit in range(4)])
plane = np.linalg.svd(means - means.mean(axis=0), full_matrices=False)[2][:2]
figure, panel = plt.subplots(figsize=(4, 4))
for suit, color in enumerate(("#c2410c", "#0f766e", "#4338ca", "#a16207")):
    panel.scatter(*(last[asked_next == suit] @ plane.T).T, s=4, color=color, alpha=0.5)
panel.set(xticks=[], yticks=[], title="states, coloured by the card to be named next")
panel.spines[:].set_visible(False)
