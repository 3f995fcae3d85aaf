"""What the parts beside the first study say of the price of a verdict: other games, longer
episodes, sums that are helped, and where PPO's gradient points."""

from __future__ import annotations

import numpy as np

from experiments.bridge.page import Finding, Grid, outcome_of
from experiments.bridge.told import AXES
from experiments.bridge.verdict import BESIDE, Curves, Part, Setup
from experiments.bridge.verdict_findings import FACTOR, all_of, mean_interval, told_ratio
from experiments.bridge.verdict_report import (
    HALF,
    MOST,
    TELLS,
    foretold,
    game_words,
    ratio_words,
    reached,
)

TOKENS = AXES[0]
HELPED = ("sum, critic", "sum, group")


def findings(curves: dict[Part, Curves], setup: Setup) -> list[Finding]:
    """Of what there is."""
    large = max(setup.batches)
    found = (elsewhere, growth, helped, ppo)
    return [one for make in found if (one := make(curves, setup, large))]


def elsewhere(curves: dict[Part, Curves], setup: Setup, batch: int) -> Finding | None:
    """H2a in other games."""
    when, words, outcomes = reached(curves, TOKENS, HALF), [], []
    for suits, game in setup.others:
        over, under = (Part(suits, told, batch, game) for told in ("verdict", "label"))
        theory = foretold(suits, HALF)
        if over not in curves or under not in curves or theory is None:
            continue
        words.append(f"{game} {ratio_words(when, over, under)} where {theory:.1f} is foretold")
        outcomes.append(
            bounded(when, over, under, theory) if when.everywhere(under) else "inconclusive"
        )
    claim = f"H2a in other games: to probability {HALF}, within a factor of {FACTOR}"
    return Finding("H2a'", claim, "; ".join(words), all_of(outcomes)) if words else None


def bounded(when, over: Part, under: Part, theory: float):
    """Whether a ratio is what was foretold within the factor."""
    _, low, high = when.ratio(over, under)
    high = high if when.everywhere(over) else np.inf
    return outcome_of(low, high, theory / FACTOR, theory * FACTOR)


def lengths(setup: Setup) -> list[tuple[int, int, str]]:
    """Judged steps, suits and game of all lengths, the shortest first."""
    suits = setup.suits[len(setup.suits) // 2]
    games = [(setup.cards, suits, "")]
    games += [(int(game.split()[0]), k, game) for k, game in setup.longer]
    return [(cards - setup.k, k, game) for cards, k, game in sorted(games)]


def level_of(suits: int) -> float:
    return HALF if suits > 2 else MOST


def growth(curves: dict[Part, Curves], setup: Setup, batch: int) -> Finding | None:
    """H2c: the price of a sum grows with the episode as the nats that it withholds."""
    if not setup.lengths:
        return None
    steps = lengths(setup)
    level = level_of(steps[0][1])
    when, words, prices = reached(curves, TOKENS, level), [], []
    for judged, suits, game in steps:
        over, under = (Part(suits, told, batch, game) for told in ("sum", "verdict"))
        words.append(
            f"{judged} judged steps: {ratio_words(when, over, under)}, nats "
            f"{told_ratio(suits, judged):.1f}"
        )
        if when.everywhere(over) and when.everywhere(under):
            prices.append((judged, suits, game))
    claim = (
        "from the shortest to the longest episodes the price of a sum over verdicts grows as many "
        f"times as the nats of a verdict over those of a sum, within a factor of {FACTOR}"
    )
    if len(prices) < 2:
        found = "; ".join(words) + f"; too few came to {level}"
        return Finding("H2c'", claim, found, "inconclusive")
    short, long = prices[0], prices[-1]
    theory = told_ratio(long[1], long[0]) / told_ratio(short[1], short[0])
    logs = {
        end: np.log(when.at[Part(end[1], "sum", batch, end[2])])
        - np.log(when.at[Part(end[1], "verdict", batch, end[2])])
        for end in (short, long)
    }
    grown = logs[long] - logs[short]  # seed by seed
    low, high = np.exp(mean_interval(grown))
    found = (
        f"{'; '.join(words)}; from {short[0]} to {long[0]} steps it grows "
        f"{np.exp(grown.mean()):.2f} ({low:.2f} to {high:.2f}) times where {theory:.2f} is foretold"
    )
    return Finding("H2c'", claim, found, outcome_of(low, high, theory / FACTOR, theory * FACTOR))


def helped(curves: dict[Part, Curves], setup: Setup, batch: int) -> Finding | None:
    """H2c: how much of the price of a sum a critic, or others on the same deck, take back."""
    words, outcomes = [], []
    for judged, suits, game in lengths(setup):
        when = reached(curves, TOKENS, level_of(suits))
        plain, cheap = (Part(suits, told, batch, game) for told in ("sum", "verdict"))
        for told in HELPED:
            part = Part(suits, told, batch, game)
            if not {part, plain, cheap} <= set(curves):
                continue
            _, low, high = when.ratio(part, plain)
            known = when.everywhere(part) and when.everywhere(plain) and when.everywhere(cheap)
            back = 0.0
            if known:
                price = np.log(when.mean(plain) / when.mean(cheap))
                back = np.log(when.mean(plain) / when.mean(part)) / price
            words.append(
                f"{told}, {judged} steps: {ratio_words(when, part, plain)} times a plain sum's"
                + (f", {100 * back:.0f} % of the way to a verdict's" if known else "")
            )
            outcomes.append(outcome_of(low, high, 0, 1) if known else "inconclusive")
    claim = "a critic, or the mean of others on the same deck, makes sums cheaper (in tokens)"
    return Finding("H2c''", claim, "; ".join(words), all_of(outcomes)) if words else None


def ppo(curves: dict[Part, Curves], setup: Setup, batch: int) -> Finding | None:
    """H2d: PPO's gradient turns away from the labels' early."""
    parts = [p for p in curves if p[1:] == ("verdict", batch, "") and "cos_ppo" in curves[p]]
    if not parts:
        return None

    def mean(name, low, high):
        """`[seeds]` over looks at which the right action is so likely, if there are any."""
        right = np.concatenate([curves[part]["right"] for part in parts], axis=1)
        values = np.concatenate([curves[part][name] for part in parts], axis=1)
        where = (right > low) & (right <= high)
        number = where.sum(axis=1)
        total = np.sum(np.where(where, values, 0.0), axis=1)
        return np.where(number > 0, total / np.maximum(number, 1), np.nan)

    early, late = mean("cos_ppo", 0, HALF), mean("cos_ppo", HALF, MOST)
    plain = mean("cos_labels", 0, HALF), mean("cos_labels", HALF, MOST)
    both = np.isfinite(late - early)
    claim = (
        "the gradient of PPO's first pass turns away from the labels' as the learner gets better"
    )
    if not both.any():
        found = f"no seed was looked at both below {HALF} and between it and {MOST}"
        return Finding("H2d'", claim, found, "inconclusive")
    gap = (late - early)[both]
    low, high = mean_interval(gap)
    found = (
        f"cosine with the labels' gradient {early[both].mean():.2f} until the right action has "
        f"probability {HALF}, {late[both].mean():.2f} from there to {MOST} (change "
        f"{gap.mean():.2f}, {low:.2f} to {high:.2f}); of a verdict's, {plain[0][both].mean():.2f} "
        f"and {plain[1][both].mean():.2f}"
    )
    return Finding("H2d'", claim, found, outcome_of(low, high, -np.inf, 0.0))


def beside_table(curves: dict[Part, Curves], setup: Setup) -> Grid | None:
    """All ways of being told beside one another, where more than the first four were tried: tokens
    and gradient tokens to a level over those of labels."""
    rows = []
    batch = max(setup.batches)
    for suits, game in [*((k, "") for k in setup.suits), *setup.longer, *setup.others]:
        under = Part(suits, "label", batch, game)
        for told in ("verdict", "sum", *setup.beside):
            over = Part(suits, told, batch, game)
            if over not in curves or under not in curves:
                continue
            level = level_of(suits)
            row = [f"{game_words(suits, game)}, {told} ({TELLS[told]}), to {level}"]
            row += [ratio_words(reached(curves, axis, level), over, under) for axis in AXES]
            rows.append(row)
    if not set(BESIDE) & {part.told for part in curves}:
        return None
    return Grid(
        "all ways of being told, over labels",
        ["", *(axis.replace("_", " ") for axis in AXES)],
        rows,
        "PPO makes several gradients of each token; all others one.",
    )
