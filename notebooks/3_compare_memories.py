# %% [markdown]
# # Compare memory models honestly
#
# A ranking of memory models is only as good as its statistics: it takes several seeds, several
# tasks, a scale on which tasks can be averaged, and an interval. Here: normalised returns (0 is
# random play, 1 the reference player; the best policy without memory is a mark between them), the
# interquartile mean, and stratified-bootstrap intervals (Agarwal et al. 2021).

# %%
import os
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from agents.ppo import PPOConfig
from experiments.reports.statistics import interval, iqm
from experiments.results.spec import NetworkConfig, Settings
from experiments.results.store import open_study
from experiments.results.study import read_study
from experiments.train.cell import cell
from experiments.train.run import run_cell
from popjax import scores

SMOKE = "POPJAX_SMOKE" in os.environ

# %% [markdown]
# Models are compared at equal numbers of parameters, not at equal widths: `parameters` sets the
# width of each.

# %%
ENVS = ("RepeatPreviousEasy",)  # and as many as you like
MEMORIES = ("mlp", "gru") if SMOKE else ("mlp", "gru", "lru")
settings = Settings(
    total_steps=16_384 if SMOKE else 98_304,
    seeds=2 if SMOKE else 3,
    num_segments=1 if SMOKE else 4,
    network=NetworkConfig(parameters=2_000 if SMOKE else 10_000, head_features=32),
    ppo=PPOConfig(num_envs=16, num_steps=64, num_minibatches=4),
    hyperparams={"gamma": 0.0, "gae_lambda": 0.0, "learning_rate": 5e-3},
)
study = open_study(Path(tempfile.mkdtemp()), "compare", {"kind": "notebook"})
for env in ENVS:
    for memory in MEMORIES:
        print(env, memory, run_cell(study, cell(env, memory, settings)))

# %% [markdown]
# One line per cell. `final` is the return of the last policy, sampled, on new episodes. `mmer`, the
# paper's metric, is the best mean return during training, which is optimistic by construction.

# %%
rows = read_study(study)
for row in rows:
    print(
        f"{row.spec.env:20} {row.spec.memory:6} final {row.final.round(2)} mmer {row.mmer.round(2)}"
    )

# %%
normalised = {
    memory: [scores.normalise(r.spec.env, r.final) for r in rows if r.spec.memory == memory]
    for memory in MEMORIES
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
