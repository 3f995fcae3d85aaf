# %% [markdown]
# # The toggle: one network as agent and as language model
#
# Observation is token, memory is context, policy is next-token distribution, return is likelihood.
# Here the same network is trained twice on the same stream of cards: as an agent that names the
# suit of three cards ago, and as a language model that predicts the next card.

# %%
import dataclasses
import os
import tempfile
from pathlib import Path

import numpy as np

from experiments.explorer.gears import gears
from experiments.results.spec import Settings
from experiments.results.store import open_study
from experiments.results.study import read_study
from experiments.train.build import backbone_of
from experiments.train.cell import cell
from experiments.train.run import run_cell
from experiments.train.settings.tuned import tuned

SMOKE = "POPJAX_SMOKE" in os.environ

# %% [markdown]
# Every concept under its name in both fields, and whether the correspondence is exact.

# %%
for gear in gears():
    print(f"{gear.concept:22} {gear.rl:38} {gear.lm:38} {gear.holds}")

# %%
fast = tuned("RepeatPreviousEasy", "gru")
agent = cell(
    "RepeatPreviousEasy",
    "gru",
    dataclasses.replace(fast, total_steps=16_384 if SMOKE else 163_840, seeds=1, num_segments=4),
)
model = cell(
    "RepeatPreviousEasy",
    "gru",
    Settings(
        total_steps=20_000 if SMOKE else 1_500_000, seeds=1, num_segments=4, network=fast.network
    ),
    "lm",
)
assert backbone_of(agent) == backbone_of(model)  # the same object, field by field

# %%
study = open_study(Path(tempfile.mkdtemp()), "toggle", {"kind": "notebook"})
for spec in (agent, model):
    print(spec.regime, run_cell(study, spec))

# %% [markdown]
# Each is compared with the best possible: the agent's return with 1, the language model's nats with
# the exact entropy floor of the deck.

# %%
for row in read_study(study):
    if row.final is not None:
        print(f"agent: return {np.mean(row.final):.3f}, best possible 1, without memory -0.49")
    if row.tokens is not None:
        tokens = row.tokens[0]
        print(
            f"model: {tokens['nats']:.4f} nats per token, floor {tokens['floor']:.4f}, "
            f"excess {tokens['excess']:.4f}"
        )

# %% [markdown]
# Must their states hold the same? The rules alone say so before any training: of the information
# that acting requires (the last four cards in order), prediction requires 7 %; of what prediction
# requires (the counts), acting requires 6 %.

# %%
from experiments.bridge.measures.overlap import exact
from popjax import make

shared = exact(make("RepeatPreviousEasy"))
print(f"U(RL|LM) {shared.rl_given_lm:.3f}, U(LM|RL) {shared.lm_given_rl:.3f}: {shared.kind}")

# %% [markdown]
# The interactive page for this one task: what agent and language model believe, step by step.

# %%
from experiments.explorer import page as explorer_page

explorer_page.Embedded(explorer_page.page(only=["RepeatPreviousEasy"]))
