"""The outcome of each hypothesis on the cost of a verdict, from its interval."""

from __future__ import annotations

import numpy as np

from agents.supervision import coin
from experiments.bridge.batched_objectives import SUPERVISION_METRICS
from experiments.bridge.findings import Finding, all_of, outcome_of
from experiments.bridge.page import Grid
from experiments.bridge.verdict.config import BESIDE, Condition, Curves, VerdictConfig
from experiments.bridge.verdict.report import (
    HALF,
    MOST,
    SAYS,
    game_words,
    noise_scale,
    predicted_slowdown,
    ratio_words,
    reached,
)
from experiments.reports.statistics import mean_interval

TOKENS, _, NATS = SUPERVISION_METRICS
FACTOR = 1.5


def findings(curves: dict[Condition, Curves], setup: VerdictConfig) -> list[Finding]:
    """All hypotheses, the primary one first."""
    large = max(setup.batches)
    return [
        closed_form(curves, setup, large),
        *noise(curves, setup),
        sums(curves, setup, large),
        direction(curves, setup, large),
        one_axis(curves, setup, large),
    ]


def closed_form(curves: dict[Condition, Curves], setup: VerdictConfig, batch: int) -> Finding:
    """H2a: the cost of a verdict is that of a noise-free softmax, within a factor."""
    when, words, outcomes, claims = reached(curves, TOKENS, HALF), [], [], []
    for suits in setup.suits:
        theory = predicted_slowdown(suits, HALF)
        over, under = Condition(suits, "verdict", batch), Condition(suits, "label", batch)
        if theory is None or over not in curves or under not in curves:
            continue
        claims.append(f"{theory:.1f} with {suits} suits")
        words.append(f"{ratio_words(when, over, under)} with {suits}")
        _, low, high = when.ratio(over, under)
        if not when.everywhere(under):
            outcomes.append("inconclusive")
            continue
        high = high if when.everywhere(over) else np.inf
        outcomes.append(outcome_of(low, high, theory / FACTOR, theory * FACTOR))
    claim = (
        f"the ratio of verdict to label tokens to probability {HALF} is that predicted without "
        f"noise, within a factor of {FACTOR}: {', '.join(claims)}"
    )
    return Finding("H2a", claim, "; ".join(words), all_of(outcomes), primary=True)


def noise(curves: dict[Condition, Curves], setup: VerdictConfig) -> list[Finding]:
    """H2b: with equal expected gradients, noise explains the slowdown: steps grow as
    1 + noise scale / batch (McCandlish et al. 2018)."""
    words, outcomes = [], []
    when = reached(curves, TOKENS, MOST)
    for batch in setup.batches:
        for suits in setup.suits:
            over, under = (
                Condition(suits, "unbiased verdict", batch),
                Condition(suits, "label", batch),
            )
            if over not in curves or under not in curves:
                continue
            scale = [1 + noise_scale(curves[part], MOST) / batch for part in (over, under)]
            theory = scale[0] / scale[1]
            ratio = ratio_words(when, over, under)
            words.append(f"{ratio}, predicted {theory:.2f} ({suits} suits, batches of {batch})")
            _, low, high = when.ratio(over, under)
            high = high if when.everywhere(over) else np.inf
            outcomes.append(outcome_of(low, high, theory / FACTOR, theory * FACTOR))
    claim = (
        f"a verdict weighted to the label's gradient is slower to {MOST} by the factor that its "
        f"noise predicts, within a factor of {FACTOR}"
    )
    return [Finding("H2b", claim, "; ".join(words), all_of(outcomes))] if words else []


def sums(curves: dict[Condition, Curves], setup: VerdictConfig, batch: int) -> Finding:
    """H2c: the cost of one sum per episode is the ratio of the nats it gives."""
    words, outcomes = [], []
    for suits in setup.suits:
        level = HALF if suits > 2 else MOST
        when = reached(curves, TOKENS, level)
        over, under = Condition(suits, "sum", batch), Condition(suits, "verdict", batch)
        if over not in curves or under not in curves:
            continue
        theory = feedback_ratio(suits, setup.cards - setup.k)
        words.append(
            f"{ratio_words(when, over, under)} with {suits} suits, for {theory:.1f} times "
            "fewer nats"
        )
        _, low, high = when.ratio(over, under)
        high = high if when.everywhere(over) else np.inf
        outcomes.append(outcome_of(low, high, theory / FACTOR, theory * FACTOR))
    claim = (
        "a sum takes more tokens than a verdict per step in proportion to its fewer nats per step "
        f"for a learner with a uniform belief, within a factor of {FACTOR}"
    )
    return Finding("H2c", claim, "; ".join(words), all_of(outcomes))


def feedback_ratio(suits: int, judged: int) -> float:
    """Nats per judged step of a verdict over those of a sum, to a learner whose belief is uniform.

    >>> round(feedback_ratio(4, 13), 1)
    3.9
    """
    n, p = np.arange(judged + 1), 1 / suits
    logs = np.cumsum(np.log(np.maximum(n, 1)))
    law = np.exp(logs[-1] - logs - logs[::-1] + n * np.log(p) + (judged - n) * np.log1p(-p))
    return float(coin(p)) * judged / float(-np.sum(law * np.log(law)))


def direction(curves: dict[Condition, Curves], setup: VerdictConfig, batch: int) -> Finding:
    """H2d: a verdict's gradient approaches the weighted label's as the batch grows."""
    parts = [part for part in curves if part[1:] == ("verdict", batch, "")]
    early = {
        name: np.concatenate([curves[p][name][curves[p]["right"] <= MOST] for p in parts]).mean()
        for name in ("cos_quarter", "cos_expected", "cos_labels")
    }
    grows = np.array([
        (curves[p]["cos_expected"] - curves[p]["cos_quarter"]).mean(axis=1) for p in parts
    ]).mean(axis=0)  # fmt: skip
    low, high = mean_interval(grows)
    found = (
        f"cosine {early['cos_quarter']:.2f} with {setup.num_gradients // 4} episodes, "
        f"{early['cos_expected']:.2f} with {setup.num_gradients} (grows by {grows.mean():.2f}, "
        f"{low:.2f} to {high:.2f}); with the plain labels' gradient {early['cos_labels']:.2f}"
    )
    claim = (
        "the gradient of verdicts turns to that of labels weighted by their probability as the "
        "batch grows"
    )
    return Finding("H2d", claim, found, outcome_of(low, high, 0, np.inf))


def one_axis(curves: dict[Condition, Curves], setup: VerdictConfig, batch: int) -> Finding:
    """Per nat of feedback, all kinds learn equally fast: only the amount of feedback matters."""
    words, outcomes = [], []
    for suits in setup.suits:
        level = HALF if suits > 2 else MOST
        parts = [Condition(suits, feedback, batch) for feedback in ("label", "verdict", "sum")]
        if not all(part in curves for part in parts):
            continue
        spread = {}
        for axis in (TOKENS, NATS):
            when = reached(curves, axis, level)
            known = [part for part in parts if when.everywhere(part)]
            if len(known) < len(parts):
                spread[axis] = None
                continue
            dear, cheap = max(known, key=when.mean), min(known, key=when.mean)
            spread[axis] = when.ratio(dear, cheap)
        if None in spread.values():
            outcomes.append("inconclusive")
            words.append(f"with {suits} suits not all reached it")
            continue
        (tokens, *_), (nats, low, high) = spread[TOKENS], spread[NATS]
        outcomes.append(outcome_of(low, high, 0, FACTOR))
        words.append(
            f"a factor of {nats:.2f} ({low:.2f} to {high:.2f}) in nats, {tokens:.1f} in tokens "
            f"with {suits} suits"
        )
    claim = (
        "counted in expected nats of feedback, labels, verdicts and sums reach the criterion "
        f"within a factor of {FACTOR} of one another: only the amount of feedback differs"
    )
    return Finding("H2e", claim, "; ".join(words), all_of(outcomes))


def lead(found: list[Finding]) -> str:
    """The verdict in a few sentences, on reading W of the slogan: a step of reinforcement learning
    is a language modelling step with another weight and another noise."""
    by_name = {one.name: one.outcome for one in found}
    price = {
        "holds": "The closed form of gradient flow predicts what a verdict costs",
        "fails": "The closed form of gradient flow does not predict what a verdict costs",
        "inconclusive": "Whether the closed form of gradient flow predicts what a verdict costs "
        "cannot be decided with these seeds",
    }[by_name["H2a"]]
    amount = {
        "holds": "counted in nats all kinds of feedback learn equally fast, so the difference "
        "between agent and language model is one of quantity here",
        "fails": "counted in nats some kinds of feedback still learn faster than others, so "
        "the amount of feedback does not explain all of the difference",
        "inconclusive": "whether the amount of feedback explains all of the difference is open",
    }[by_name["H2e"]]
    return f"{price}; {amount}."


HELPED = ("sum, critic", "sum, group")


def findings_of_games(curves: dict[Condition, Curves], setup: VerdictConfig) -> list[Finding]:
    """Findings of the conditions that were run."""
    large = max(setup.batches)
    found = (elsewhere, growth, helped, ppo)
    return [one for make in found if (one := make(curves, setup, large))]


def elsewhere(curves: dict[Condition, Curves], setup: VerdictConfig, batch: int) -> Finding | None:
    """H2a in other games."""
    when, words, outcomes = reached(curves, TOKENS, HALF), [], []
    for suits, game in setup.others:
        over, under = (Condition(suits, kind, batch, game) for kind in ("verdict", "label"))
        theory = predicted_slowdown(suits, HALF)
        if over not in curves or under not in curves or theory is None:
            continue
        words.append(f"{game} {ratio_words(when, over, under)} where {theory:.1f} is predicted")
        outcomes.append(
            bounded(when, over, under, theory) if when.everywhere(under) else "inconclusive"
        )
    claim = f"H2a in other games: to probability {HALF}, within a factor of {FACTOR}"
    return Finding("H2a'", claim, "; ".join(words), all_of(outcomes)) if words else None


def bounded(when, over: Condition, under: Condition, theory: float):
    """Whether a ratio matches its prediction within the factor."""
    _, low, high = when.ratio(over, under)
    high = high if when.everywhere(over) else np.inf
    return outcome_of(low, high, theory / FACTOR, theory * FACTOR)


def lengths(setup: VerdictConfig) -> list[tuple[int, int, str]]:
    """Judged steps, suits and game of all lengths, the shortest first."""
    suits = setup.suits[len(setup.suits) // 2]
    games = [(setup.cards, suits, "")]
    games += [(int(game.split()[0]), k, game) for k, game in setup.longer]
    return [(cards - setup.k, k, game) for cards, k, game in sorted(games)]


def level_of(suits: int) -> float:
    return HALF if suits > 2 else MOST


def growth(curves: dict[Condition, Curves], setup: VerdictConfig, batch: int) -> Finding | None:
    """H2c: the cost of a sum grows with episode length as the nats that it lacks."""
    if not setup.lengths:
        return None
    steps = lengths(setup)
    level = level_of(steps[0][1])
    when, words, prices = reached(curves, TOKENS, level), [], []
    for judged, suits, game in steps:
        over, under = (Condition(suits, feedback, batch, game) for feedback in ("sum", "verdict"))
        words.append(
            f"{judged} judged steps: {ratio_words(when, over, under)}, nats "
            f"{feedback_ratio(suits, judged):.1f}"
        )
        if when.everywhere(over) and when.everywhere(under):
            prices.append((judged, suits, game))
    claim = (
        "from the shortest to the longest episodes the cost of a sum over a verdict grows by the "
        f"ratio of a verdict's nats to a sum's, within a factor of {FACTOR}"
    )
    if len(prices) < 2:
        found = "; ".join(words) + f"; too few reached {level}"
        return Finding("H2c'", claim, found, "inconclusive")
    short, long = prices[0], prices[-1]
    theory = feedback_ratio(long[1], long[0]) / feedback_ratio(short[1], short[0])
    logs = {
        end: np.log(when.at[Condition(end[1], "sum", batch, end[2])])
        - np.log(when.at[Condition(end[1], "verdict", batch, end[2])])
        for end in (short, long)
    }
    grown = logs[long] - logs[short]  # seed by seed
    low, high = np.exp(mean_interval(grown))
    found = (
        f"{'; '.join(words)}; from {short[0]} to {long[0]} steps it grows "
        f"{np.exp(grown.mean()):.2f} ({low:.2f} to {high:.2f}) times, predicted {theory:.2f}"
    )
    return Finding("H2c'", claim, found, outcome_of(low, high, theory / FACTOR, theory * FACTOR))


def helped(curves: dict[Condition, Curves], setup: VerdictConfig, batch: int) -> Finding | None:
    """H2c: how much of the cost of a sum a critic or a group baseline recovers."""
    words, outcomes = [], []
    for judged, suits, game in lengths(setup):
        when = reached(curves, TOKENS, level_of(suits))
        plain, cheap = (Condition(suits, feedback, batch, game) for feedback in ("sum", "verdict"))
        for feedback in HELPED:
            part = Condition(suits, feedback, batch, game)
            if not {part, plain, cheap} <= set(curves):
                continue
            _, low, high = when.ratio(part, plain)
            known = when.everywhere(part) and when.everywhere(plain) and when.everywhere(cheap)
            back = 0.0
            if known:
                price = np.log(when.mean(plain) / when.mean(cheap))
                back = np.log(when.mean(plain) / when.mean(part)) / price
            words.append(
                f"{feedback}, {judged} steps: {ratio_words(when, part, plain)} times a plain sum's"
                + (f", {100 * back:.0f} % of the way to a verdict's" if known else "")
            )
            outcomes.append(outcome_of(low, high, 0, 1) if known else "inconclusive")
    claim = "a critic or a group baseline on the same deck reduces the tokens that sums take"
    return Finding("H2c''", claim, "; ".join(words), all_of(outcomes)) if words else None


def ppo(curves: dict[Condition, Curves], setup: VerdictConfig, batch: int) -> Finding | None:
    """H2d: PPO's gradient turns away from the labels' early."""
    parts = [p for p in curves if p[1:] == ("verdict", batch, "") and "cos_ppo" in curves[p]]
    if not parts:
        return None

    def mean(name, low, high):
        """`[seeds]` means over looks with the right action's probability in a range, if any."""
        right = np.concatenate([curves[part]["right"] for part in parts], axis=1)
        values = np.concatenate([curves[part][name] for part in parts], axis=1)
        where = (right > low) & (right <= high)
        number = where.sum(axis=1)
        total = np.sum(np.where(where, values, 0.0), axis=1)
        return np.where(number > 0, total / np.maximum(number, 1), np.nan)

    early, late = mean("cos_ppo", 0, HALF), mean("cos_ppo", HALF, MOST)
    plain = mean("cos_labels", 0, HALF), mean("cos_labels", HALF, MOST)
    both = np.isfinite(late - early)
    claim = "the gradient of PPO's first epoch turns away from the labels' as the learner improves"
    if not both.any():
        found = f"no seed was evaluated both below {HALF} and between {HALF} and {MOST}"
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


def beside_table(curves: dict[Condition, Curves], setup: VerdictConfig) -> Grid | None:
    """All kinds of feedback compared, where more than the first four were run: tokens and gradient
    tokens to a level over those of labels."""
    rows = []
    batch = max(setup.batches)
    for suits, game in [*((k, "") for k in setup.suits), *setup.longer, *setup.others]:
        under = Condition(suits, "label", batch, game)
        for feedback in ("verdict", "sum", *setup.beside):
            over = Condition(suits, feedback, batch, game)
            if over not in curves or under not in curves:
                continue
            level = level_of(suits)
            row = [f"{game_words(suits, game)}, {feedback} ({SAYS[feedback]}), to {level}"]
            row += [
                ratio_words(reached(curves, axis, level), over, under)
                for axis in SUPERVISION_METRICS
            ]
            rows.append(row)
    if not set(BESIDE) & {part.feedback for part in curves}:
        return None
    return Grid(
        "all kinds of feedback, over labels",
        ["", *(axis.replace("_", " ") for axis in SUPERVISION_METRICS)],
        rows,
        "PPO computes several gradients per token; all others one.",
    )
