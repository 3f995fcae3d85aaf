"""The outcome of each hypothesis on the closed loop, from its interval."""

from __future__ import annotations

import numpy as np
from scipy.stats import spearmanr

from experiments.bridge.findings import Finding, all_of, outcome_of
from experiments.bridge.loop.config import BANDIT_WAYS, DECK_WAYS, STOPS, LoopConfig
from experiments.bridge.loop.report import (
    NEAR,
    SLIGHT,
    Deck,
    Tables,
    pick,
    stops,
    words_of,
)
from experiments.reports.statistics import difference, format_iqm, interval, iqm, mean_interval
from experiments.results.store import Table


def findings(tables: Tables, setup: LoopConfig) -> list[Finding]:
    """The primary one first."""
    return [
        h3a_copier(tables, setup),
        h3a_own_histories(tables, setup),
        h3b_self_delusion(tables, setup),
        h3b_dagger(tables),
        dreams(tables, setup),
        h3d_forgetting(tables),
        h3d_frontier(tables),
    ]


def h3a_copier(tables: Tables, setup: LoopConfig) -> Finding:
    """H3a: in its own loop the clone earns a copier's return."""
    words, outcomes = [], []
    for deck in setup.decks:
        it = Deck(tables[f"deck {deck}", "clone"], STOPS[0])
        if not it.came:
            outcomes.append("inconclusive")
            words.append(f"{deck}: no seed predicted 99 %")
            continue
        gap = it.returns - it.as_copier  # paired by seed: its own errors give the prediction
        outcomes.append(outcome_of(*interval([gap]), -NEAR, NEAR))
        words.append(
            f"{deck}: earns {format_iqm(it.returns)}, a copier {iqm(it.as_copier):.2f}, an agent "
            f"with memory {iqm(it.as_rememberer):.2f}; gap to the copier {format_iqm(gap)}"
        )
    claim = (
        "a clone that reads its own actions and predicts 99 % of the expert's earns, in its own "
        f"loop, the return that the closed form of a copier predicts, within {NEAR}"
    )
    return Finding("H3a", claim, "; ".join(words), all_of(outcomes), primary=True)


def h3a_own_histories(tables: Tables, setup: LoopConfig) -> Finding:
    """H3a: labels or rewards on the learner's own histories close the gap between the loops."""
    words, outcomes = [], []
    for deck in setup.decks:
        for way in ("dagger", "rewards"):
            it = Deck(tables[f"deck {deck}", way], STOPS[1])
            gap = it.open_right.mean(axis=1) - it.closed_right.mean(axis=1)
            low, high = interval([gap])
            outcomes.append(outcome_of(low, high, -np.inf, SLIGHT))
            words.append(f"{deck}, {DECK_WAYS[way].title}: gap {format_iqm(gap, 3)}, return "
                         f"{format_iqm(it.returns)}")  # fmt: skip
    claim = f"trained on its own histories, accuracy in both loops is equal within {SLIGHT}"
    return Finding("H3a'", claim, "; ".join(words), all_of(outcomes))


def h3b_self_delusion(tables: Tables, setup: LoopConfig) -> Finding:
    """H3b: the clone of an expert who sees the best arm takes its own guess for evidence."""
    clone = pick(tables["bandit", "privileged"], "return", "end")[:, 0]
    players = tables["bandit", "players"]
    naive = pick(players, "return", "win-stay, lose-shift")[:, 0]
    gap = difference(clone, naive)
    stayed = pick(tables["bandit", "privileged"], "stayed", "end")[:, 0]
    open_ = pick(tables["bandit", "privileged"], "open_right", "end").mean(axis=1)
    claim = (
        "the clone of an expert who sees the best arm earns less than win-stay, lose-shift, for it "
        "stays with its first guess"
    )
    found = (
        f"predicts {100 * iqm(open_):.0f} % of the expert, earns {format_iqm(clone)}, "
        f"{words_of(gap)} against win-stay; never leaves its first arm in "
        f"{format_iqm(stayed)} of episodes (best arm at random: 0 return)"
    )
    return Finding("H3b", claim, found, outcome_of(*gap[1:], -np.inf, 0.0))


def h3b_dagger(tables: Tables) -> Finding:
    """H3b: with the same labels on its own histories it matches posterior sampling."""
    thompson = pick(tables["bandit", "players"], "return", "Thompson sampling")[:, 0]
    words, outcomes = [], []
    for way in ("dagger", "masked", "rewards"):
        own = pick(tables["bandit", way], "return", "end")[:, 0]
        gap = difference(own, thompson)
        words.append(f"{BANDIT_WAYS[way].title}: {format_iqm(own)}, off by {words_of(gap)}")
        if way == "dagger":
            outcomes.append(outcome_of(*gap[1:], -NEAR, NEAR))
    claim = (
        "with the same labels on its own histories the learner earns as much as Thompson sampling "
        f"({iqm(thompson):.2f}), within {NEAR}"
    )
    return Finding("H3b'", claim, "; ".join(words), all_of(outcomes))


def dreams(tables: Tables, setup: LoopConfig) -> Finding:
    """H3c: generated decks become impossible before the loss shows it."""
    words, outcomes = [], []
    for deck in setup.decks:
        table = tables["dreams", deck]
        excess = pick(table, "dealt_excess", "end").mean(axis=1)
        whole = pick(table, "broken", "end")[:, -1]
        outcomes.append(
            all_of([
                outcome_of(*interval([excess]), -np.inf, SLIGHT),
                outcome_of(*interval([whole]), 0.5, np.inf),
            ])
        )  # fmt: skip
        words.append(f"{deck}: excess {format_iqm(excess, 3)} nats per card, and "
                     f"{format_iqm(whole)} of generated decks hold a surplus card")  # fmt: skip
    claim = (
        f"more than half of the decks of a model within {SLIGHT} nats per card of the exact "
        "distribution hold an impossible card"
    )
    return Finding("H3c", claim, "; ".join(words), all_of(outcomes))


def h3d_forgetting(tables: Tables) -> Finding:
    """H3d: forgetting grows with the divergence from the initial policy."""
    found, low, high = rank_of_forgotten(tables["frontier", "tuning"])
    claim = "tuned for reward, a model forgets the deck more the farther it moves (rank "
    claim += "correlation above 0.5 over KL penalties and seeds)"
    return Finding("H3d", claim, found, outcome_of(low, high, 0.5, 1.0))


def rank_of_forgotten(table: Table) -> tuple[str, float, float]:
    """The rank correlation of forgotten nats with the divergence, in words, and its bootstrap
    interval over seeds."""
    prices = [stop for stop in stops(table) if stop.startswith("beta")]
    lost = np.stack([pick(table, "forgotten", stop)[:, -1] for stop in prices], axis=1)
    gone = np.stack([pick(table, "kl", stop)[:, -1] for stop in prices], axis=1)
    generator = np.random.default_rng(0)
    drawn = generator.integers(len(lost), size=(1000, len(lost)))
    ranks = [spearmanr(gone[i].ravel(), lost[i].ravel()).statistic for i in drawn]
    low, high = np.quantile(ranks, [0.025, 0.975])
    rank = spearmanr(gone.ravel(), lost.ravel()).statistic
    words = ", ".join(f"{stop}: {iqm(lost[:, i]):.3f}" for i, stop in enumerate(prices))
    found = f"rank correlation {rank:.2f} ({low:.2f} to {high:.2f}); forgotten nats {words}"
    return found, float(low), float(high)


def h3d_frontier(tables: Tables) -> Finding:
    """H3d: at equal return, tuning on rewards forgets less than on an expert's transcripts."""
    table = tables["frontier", "tuning"]
    level = 0.9
    price = next(stop for stop in stops(table) if stop.startswith("beta"))

    def at_level(stop):
        returns, lost = (pick(table, name, stop) for name in ("return", "forgotten"))
        there = returns >= level
        place = np.where(there.any(axis=1), there.argmax(axis=1), -1)
        return np.where(place < 0, np.nan, lost[np.arange(len(lost)), place])

    rewards, transcripts = at_level(price), at_level("transcripts")
    both = np.isfinite(rewards) & np.isfinite(transcripts)
    claim = f"at a return of {level} rewards ({price}) forgot less than an expert's transcripts did"
    if both.sum() < 3:
        found = f"only {both.sum()} seeds reached that return in both conditions"
        return Finding("H3d'", claim, found, "inconclusive")
    gap = rewards[both] - transcripts[both]
    low, high = mean_interval(gap)
    found = (
        f"{format_iqm(rewards[both], 3)} nats per card against "
        f"{format_iqm(transcripts[both], 3)}: less by {-gap.mean():.3f} ({-high:.3f} to "
        f"{-low:.3f})"
    )
    return Finding("H3d'", claim, found, outcome_of(low, high, -np.inf, 0.0))


def lead(found: list[Finding]) -> str:
    """The verdict in a few sentences."""
    by_name = {one.name: one.outcome for one in found}
    copier = {
        "holds": "A model that predicts 99 % of an expert and reads its own actions copies "
        "itself, and in its own loop earns what the closed form of a copier predicts",
        "fails": "A clone that predicts 99 % of an expert does not earn what the closed form of a "
        "copier predicts in its own loop",
        "inconclusive": "Whether a clone that predicts 99 % of an expert is a mere copier "
        "cannot be decided with these seeds",
    }[by_name["H3a"]]
    self_delusion = {
        "holds": "the clone of an expert who sees more believes its own guesses",
        "fails": "the clone of an expert who sees more does not lose by its own guesses",
        "inconclusive": "the clone of an expert who sees more may or may not believe its guesses",
    }[by_name["H3b"]]
    dream = {
        "holds": "and most generated decks are impossible before a loss shows it",
        "fails": "and most generated decks are still possible where a loss shows little",
        "inconclusive": "and how many generated decks are impossible before a loss shows is open",
    }[by_name["H3c"]]
    return f"{copier}; {self_delusion}; {dream}."
