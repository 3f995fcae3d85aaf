"""The names of options that people type: `--lr 1e-3`, `--gamma 0.9`, `--epochs 8`, `--seed 3`."""

from __future__ import annotations

from itertools import pairwise

from experiments.results.errors import UserError

OTHER_NAMES = {  # of hyper-parameters
    "lr": "learning_rate",
    "discount": "gamma",
    "lambda": "gae_lambda",
    "clip_range": "clip",
    "clip_eps": "clip",
    "ent_coef": "entropy",
    "entropy_coef": "entropy",
    "vf_coef": "value",
    "value_coef": "value",
    "grad_norm": "max_grad_norm",
}
OTHER_OPTIONS = {
    "--timesteps": "--total-steps",
    "--total-timesteps": "--total-steps",
    "--env-steps": "--total-steps",
    "--epochs": "--num-epochs",
    "--minibatches": "--num-minibatches",
    "--segments": "--num-segments",
    "--layers": "--num-layers",
    "--hidden": "--features",
    "--hidden-size": "--features",
    "--width": "--features",
    "--model": "--memory",
    "--anneal": "--schedule",
    "--rise": "--warmup",
    "--output": "--out",
}


def spelled_out(argv: list[str]) -> list[str]:
    """The same words, with each hyper-parameter that is named as an option after `--hyperparams`.

    >>> spelled_out("train RepeatFirstEasy --lr 1e-3 --gamma=0.9 --seeds 2".split())[2:]
    ['--seeds', '2', '--hyperparams', 'learning_rate', '1e-3', 'gamma', '0.9']
    """
    if not argv or argv[0] not in ("train", "search", "sweep"):
        return argv
    argv = [_usual(word) for word in argv]
    if argv[0] == "train":
        argv = _of_the_regime(_one_seed(argv))
    if argv[0] == "sweep":
        return argv
    from experiments.results.spec import DEFAULT_HYPERPARAMS

    rest, chosen, words = [], {}, list(argv)
    while words:
        word = words.pop(0)
        option, is_joined, value = word.partition("=")
        name = option.removeprefix("--").replace("-", "_")
        name = OTHER_NAMES.get(name, name)
        known = word.startswith("--") and name in DEFAULT_HYPERPARAMS
        if known and (is_joined or words):
            chosen[name] = value if is_joined else words.pop(0)
            try:
                float(chosen[name])
            except ValueError:
                raise UserError(f"{option} takes a number, not {chosen[name]!r}") from None
        else:
            rest.append(word)
    if not chosen:
        return rest
    pairs = [word for pair in chosen.items() for word in pair]
    if "--hyperparams" not in rest:
        return [*rest, "--hyperparams", *pairs]
    place = rest.index("--hyperparams") + 1
    return [*rest[:place], *pairs, *rest[place:]]


def _usual(word: str) -> str:
    """An option by the name that it has here; any other word as it is."""
    option, is_joined, value = word.partition("=")
    return OTHER_OPTIONS.get(option.replace("_", "-"), option) + is_joined + value


def _of_the_regime(argv: list[str]) -> list[str]:
    """`--schedule` and `--warmup` as those of what is trained: of PPO unless another regime is
    named.

    >>> _of_the_regime("train RepeatFirstEasy --as lm --warmup 0.1".split())[4:]
    ['--lm-warmup', '0.1']
    """
    words = " ".join(argv).replace("=", " ").split()
    named = [b for a, b in pairwise(words) if a in ("--as", "--regime")]
    if not named or named[-1] == "ppo":
        return argv
    both = {"--schedule": "--lm-schedule", "--warmup": "--lm-warmup"}
    parts = (word.partition("=") for word in argv)
    return [both.get(option, option) + joined + value for option, joined, value in parts]


def _one_seed(argv: list[str]) -> list[str]:
    """`--seed N` as the first seed, and the only one unless `--seeds` says how many.

    >>> _one_seed("train RepeatFirstEasy --seed 3".split())[2:]
    ['--first-seed', '3', '--seeds', '1']
    """
    options = [word.partition("=")[0] for word in argv]
    if "--seed" not in options:
        return argv
    renamed = [
        word.replace("--seed", "--first-seed", 1) if option == "--seed" else word
        for word, option in zip(argv, options, strict=True)
    ]
    return renamed if "--seeds" in options else [*renamed, "--seeds", "1"]
