"""The short names of hyper-parameters that people type: `--lr 1e-3`, `--gamma 0.9`."""

from __future__ import annotations

from experiments.results.errors import UserError

OTHER_NAMES = {"lr": "learning_rate"}


def spelled_out(argv: list[str]) -> list[str]:
    """The same words, with each hyper-parameter that is named as an option after `--hyperparams`.

    >>> spelled_out("train RepeatFirstEasy --lr 1e-3 --gamma=0.9 --seeds 2".split())[2:]
    ['--seeds', '2', '--hyperparams', 'learning_rate', '1e-3', 'gamma', '0.9']
    """
    if not argv or argv[0] not in ("train", "search"):
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
