# %% [markdown]
# # The toggle: one network as agent and as language model
#
# Observation is token, memory is context, policy is next-token distribution, return is likelihood.
# Here the same network is trained twice on the same stream of cards: as an agent that names the
# suit of three cards ago, and as a language model that predicts the next card.

# %%
import os
import subprocess
import sys
import tempfile

SMOKE = "POPJAX_SMOKE" in os.environ
os.chdir(tempfile.mkdtemp())  # results go there


def popjax(command: str) -> None:
    """Runs a command as in a terminal and prints what it says."""
    print("popjax", command)
    plain = {k: v for k, v in os.environ.items() if "COLOR" not in k} | {"COLUMNS": "100"}
    words = [sys.executable, "-m", "experiments.cli.app", *command.split()]
    run = subprocess.run(words, capture_output=True, text=True, env=plain)
    print(run.stdout or run.stderr)
    assert run.returncode == 0


# %% [markdown]
# Every concept under its name in both fields, and whether the correspondence is exact.

# %%
popjax("bridge gears")

# %% [markdown]
# Two commands train the same backbone, a GRU of width 32: one on the game's rewards, one on the
# next card. Each result stands beside the best possible: the agent's return beside 1, the language
# model's nats beside the exact entropy floor of the deck.

# %%
network = "--memory gru --features 32 --head-features 32 --seeds 1 --num-segments 4"
steps = 16_384 if SMOKE else 163_840
popjax(f"train RepeatPreviousEasy {network} --settings fast --steps {steps} --study agent")

# %%
steps = 20_000 if SMOKE else 1_500_000
popjax(f"train RepeatPreviousEasy {network} --as lm --steps {steps} --study model")

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
