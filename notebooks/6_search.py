# %% [markdown]
# # A fast search of hyper-parameters
#
# Hyper-parameters are traced, not compiled into the program: a whole search is one compiled program
# in which every point is a lane. Points are scrambled Sobol; the worse points make room for more
# seeds of the better ones; tuning seeds are never reporting seeds.

# %%
import os
import subprocess
import sys
import tempfile

from IPython.display import Image, display

SMOKE = "POPJAX_SMOKE" in os.environ
os.chdir(tempfile.mkdtemp())  # results go there
size = (
    ["--points", "4", "--total-steps", "16384", "--features", "8", "--head-features", "8"]
    if SMOKE
    else ["--points", "16", "--total-steps", "49152", "--features", "32", "--head-features", "32"]
)
update = ["--num-envs", "8", "--num-steps", "64", "--num-minibatches", "4", "--num-segments", "2"]
command = ["search", "RepeatPreviousEasy", "--memory", "gru", "--seeds", "1"]
command += size + update
print("popjax", *command)

# %%
run = subprocess.run(
    [sys.executable, "-m", "experiments.cli.app", *command],
    capture_output=True,
    text=True,
    env={k: v for k, v in os.environ.items() if "COLOR" not in k},  # plain text, no bars
)
print(run.stdout or run.stderr)
assert run.returncode == 0

# %% [markdown]
# Which settings mattered? At the top, every point is a line from its settings to its return, those
# of later rungs in orange. At the bottom: how much of the variance each hyper-parameter explains by
# itself, and how much chance would explain.

# %%
from pathlib import Path

for picture in sorted(Path("results").rglob("*.png")):
    display(Image(str(picture)))
