# %% [markdown]
# # Compare memory models honestly
#
# A ranking of memory models is only as good as its statistics: it takes several seeds, several
# tasks, a scale on which tasks can be averaged, and an interval. Here: normalised returns (0 is
# random play, 1 the reference player; the best policy without memory is a mark between them), the
# interquartile mean, and stratified-bootstrap intervals (Agarwal et al. 2021).

# %%
import os

import matplotlib.pyplot as plt
import numpy as np

import agents
from experiments.reports.statistics import interval, iqm
from popjax import scores

SMOKE = "POPJAX_SMOKE" in os.environ

# %% [markdown]
# Models are compared at equal numbers of parameters, not at equal widths: `popjax memories
# --parameters 10000` lists the widths at which a memory has at most so many. `popjax sweep` does
# all of this for many tasks and memories, with tables and a page.

# %%
ENVS = ("RepeatPreviousEasy",)  # and as many as you like
WIDTHS = {"mlp": 64, "gru": 40} if SMOKE else {"mlp": 64, "gru": 40, "lru": 40}
trained = {
    (env, memory): agents.train(
        env,
        memory,
        features=features,
        total_steps=16_384 if SMOKE else 98_304,
        seeds=2 if SMOKE else 3,
        num_segments=1 if SMOKE else 4,
        gamma=0.0,
        gae_lambda=0.0,
        learning_rate=5e-3,
        report=None,
    )
    for env in ENVS
    for memory, features in WIDTHS.items()
}

# %% [markdown]
# One line per cell. `final` is the return of the last policy, sampled, on new episodes. `MMER`, the
# paper's metric, is the best mean return during training, which is optimistic by construction.

# %%
final = {cell: agent.evaluate(256).mean(axis=1) for cell, agent in trained.items()}
for (env, memory), agent in trained.items():
    mmer = np.nanmax(agent.curves["return"], axis=1)
    print(f"{env:20} {memory:6} final {final[env, memory].round(2)} MMER {mmer.round(2)}")

# %%
normalised = {
    memory: [np.array(scores.normalise(env, final[env, memory])) for env in ENVS]
    for memory in WIDTHS
}
figure, panel = plt.subplots(figsize=(6, 2.2))
for place, (memory, strata) in enumerate(normalised.items()):
    low, high = interval(strata)
    middle = iqm(np.concatenate(strata))
    panel.plot([low, high], [place, place], color="0.5", linewidth=2)
    panel.plot(middle, place, "o", color="#c2410c")
    print(f"{memory:6} interquartile mean {middle:.2f}, 95 % interval {low:.2f} to {high:.2f}")
known = [scores.normalise(env, scores.scores(env)["memoryless"]["mean"]) for env in ENVS]
panel.axvline(np.mean(known), color="0.7", linestyle=":")
panel.text(np.mean(known) + 0.02, 1, "best without memory", va="center", color="0.4")
panel.set_yticks(range(len(normalised)), normalised)
panel.set(ylim=(-0.5, len(normalised) - 0.5), xlabel="normalised return (0 random, 1 reference)")
panel.spines[["top", "right", "left"]].set_visible(False)

# %% [markdown]
# With two or three seeds, no test between two models can be significant at 5 % (the smallest
# two-sided permutation p-value of 3 against 3 is 0.1). Where intervals overlap, the order is open.
