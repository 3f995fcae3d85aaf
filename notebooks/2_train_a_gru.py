# %% [markdown]
# # Train a GRU and see it remember
#
# In RepeatPreviousEasy the agent sees one card per step and must name the suit of three cards ago.
# The best return without memory is about -0.49; perfect memory earns 1.

# %%
import dataclasses
import os
import tempfile
from pathlib import Path

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

import agents
from experiments.results.study import read_study
from experiments.train.build import build
from experiments.train.cell import cell
from experiments.train.run import run_cell
from experiments.train.settings.tuned import tuned
from popjax import scores

SMOKE = "POPJAX_SMOKE" in os.environ
print(jax.devices()[0].device_kind, "jax", jax.__version__)

# %% [markdown]
# A *cell* is an environment, a memory, an objective and some seeds. `run_cell` trains all of its
# seeds in one compiled program and stores metrics, evaluation and the policy. On the command line:
# `popjax train RepeatPreviousEasy --memory gru --settings fast`, where `fast` are settings that a
# search has found.

# %%
settings = dataclasses.replace(
    tuned("RepeatPreviousEasy", "gru"),
    total_steps=16_384 if SMOKE else 163_840,
    seeds=2,
    num_segments=2 if SMOKE else 10,
)
print(settings.network, settings.hyperparams)
spec = cell("RepeatPreviousEasy", "gru", settings)
study = Path(tempfile.mkdtemp())
(study / "study.json").write_text("{}")
run_cell(study, spec, lambda news: print(news.get("update"), news.get("return")))

# %% [markdown]
# In this task actions never affect later observations, so a discount near 0 loses nothing and keeps
# the noise of later rewards out of the gradient. The search found that by itself.

# %%
(row,) = read_study(study)
print("final return by seed", row.final, "greedy", row.greedy)

# %%
from experiments.results.store import Cell

metrics, _, _ = Cell(study, spec).read()
figure, panel = plt.subplots(figsize=(6, 3))
for seed in spec.seeds:
    own = metrics["seed"] == seed
    panel.plot(metrics["step"][own], metrics["return"][own], linewidth=1)
known = scores.scores(spec.env)
panel.axhline(known["memoryless"]["mean"], color="0.6", linestyle=":")
panel.text(0, known["memoryless"]["mean"], "best without memory", va="bottom", color="0.4")
panel.set(xlabel="environment steps", ylabel="return", title="two seeds of a GRU")
panel.spines[["top", "right"]].set_visible(False)

# %% [markdown]
# One line loads the policy.

# %%
policy = agents.load(study / spec.id / "policy.npz")
print(policy.env, policy.agent.network)

# %% [markdown]
# Does it remember? Show it the same deck twice, with one card changed, and see for how long the
# difference matters: the policy should change three steps later, and only there.

# %%
env, network = build(spec)
T = 24
suits = jax.random.randint(jax.random.key(1), (T,), 0, 4)
changed = suits.at[8].set((suits[8] + 1) % 4)
start = jnp.zeros((T, 1), bool).at[0].set(True)


def policy_along(obs):
    from agents.inputs import agent_input

    previous = jnp.zeros((T, 1), jnp.int32)
    x = agent_input(env, obs[:, None], previous, start, "obs+action")
    _, logits, _ = network.apply(policy.params, network.initial_carry(1), x, start)
    return jax.nn.softmax(logits[:, 0])


moved = np.abs(policy_along(suits) - policy_along(changed)).sum(axis=-1) / 2
figure, panel = plt.subplots(figsize=(6, 2.5))
panel.bar(np.arange(T) - 8, moved, color="#c2410c")
panel.set(xlabel="steps since the changed card", ylabel="total variation")
panel.spines[["top", "right"]].set_visible(False)
