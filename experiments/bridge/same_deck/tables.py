"""The numbers of `popjax bridge same-deck` as tables."""

from __future__ import annotations

import numpy as np

from experiments.bridge import rates
from experiments.bridge.measures.nulls import APART, compare, in_words, ns_in_words
from experiments.bridge.page import Grid
from experiments.bridge.same_deck.config import KINDS, LEAST_COMPETENCE, MOST_EXCESS, UNTRAINED
from experiments.bridge.same_deck.measures import STATISTICS
from experiments.bridge.same_deck.summary import Summary, format_interval
from popjax.families import FAMILIES

NEARLY_ALL = 0.95


def competences(summary: Summary) -> Grid:
    rows = []
    for task in summary.setup.tasks:
        for kind in summary.setup.kinds:
            raw = summary.last(task, kind, "raw")
            matched = summary.competent(task, kind)
            right = FAMILIES[task].rewards_are_verdicts
            unit = "of right answers" if right else "of return"
            unit = "nats/token above the floor" if "token" in KINDS[kind].says else unit
            competence = format_interval(summary.last(task, kind, "competence"), 3)
            which_is, compared = f"{raw.mean():.4f} {unit}", f"{matched.sum()} of {len(matched)}"
            rows.append([task, kind, competence, which_is, compared])
    return Grid(
        "competence at the end",
        ["task", "feedback", "competence [95 %]", "raw", "compared"],
        rows,
        f"0: best without memory, 1: best possible. Compared: agents with at least "
        f"{LEAST_COMPETENCE}, language models at most {MOST_EXCESS} nats above the floor.",
    )


def overlaps(summary: Summary) -> Grid:
    rows = []
    for task in summary.setup.tasks:
        for kind in summary.setup.all:
            row = [task, kind]
            for who in STATISTICS:
                share = summary.share(task, kind, who)
                predicted = "" if kind == UNTRAINED else f"{summary.predicted(task, kind, who):.3f}"
                before = summary.share(task, UNTRAINED, who).mean()
                gains = (share - before) / (1 - before)
                known = kind != UNTRAINED and len(share) and before < NEARLY_ALL
                gain = f"{gains.mean():+.2f}" if known else ""
                row += [predicted, format_interval(share, 3), gain]
            rows.append(row)
    return Grid(
        "share of each statistic that a linear probe finds",
        ["task", "feedback", "Z_RL predicted", "Z_RL measured [95 %]", "Z_RL gain",
         "Z_LM predicted", "Z_LM measured [95 %]", "Z_LM gain"],
        rows,
        "gain: share of what untrained networks of the same seeds lack, unless that is negligible; "
        "below 0 where training erased.",
    )  # fmt: skip


def through_noise(summary: Summary) -> Grid:
    """The same shares, probed through noise."""
    rows = []
    for task in summary.setup.tasks:
        for kind in summary.setup.all:
            shares = [
                format_interval(summary.share(task, kind, who, noise))
                for who in STATISTICS
                for noise in summary.setup.noises
            ]
            rows.append([task, kind, *shares])
    headings = [
        f"Z_{who.upper()}, noise {noise:g}" for who in STATISTICS for noise in summary.setup.noises
    ]
    return Grid(
        "share of each statistic that a linear probe finds through noise",
        ["task", "feedback", *headings],
        rows,
        "noise: in standard deviations of a unit, added before the probe is fitted and when it is "
        "tested.",
    )


def likenesses(summary: Summary) -> Grid:
    rows = []
    for task in summary.setup.tasks:
        for a, b in summary.pairs:
            row = [task, f"{a}, {b}"]
            for measure, version in (("CKA", "residual"), ("Procrustes", "residual"),
                                     ("CKA", "raw"), ("CKA", "fixed")):  # fmt: skip
                one = summary.likeness(task, a, b, measure, version)
                if (measure, version) == ("CKA", "residual"):
                    row += [f"{x:.2f}" for x in one.likeness[:3]] + [
                        ns_in_words(one),
                        one.verdict if summary.matched(task, a, b) else "unmatched",
                    ]
                else:
                    row.append(in_words(one))
            rows.append(row)
    return Grid(
        "similarity of two kinds, and NS: 0 an untrained network, 1 two seeds of one objective",
        ["task", "kinds", "CKA, residual", "null", "ceiling", "NS [95 %]", "verdict",
         "Procrustes, residual", "CKA, raw", "CKA, at fixed steps"],
        rows,
        "residual: given clock and current card. Networks with the same init are not paired. "
        f"NS only where the ceiling is more than {APART} above the null.",
    )  # fmt: skip


def other_measures(summary: Summary) -> Grid:
    measures = ("SVCCA", "PWCCA", "RSA", "mutual k-NN", "CKNNA")
    rows = [
        [task, f"{a}, {b}"]
        + [in_words(summary.likeness(task, a, b, name, "residual")) for name in measures]
        for task in summary.setup.tasks
        for a, b in summary.pairs
    ]
    return Grid(
        "similarity by other measures, residual, exploratory", ["task", "kinds", *measures], rows
    )


def controls(summary: Summary) -> Grid:
    rows = []
    for task in summary.setup.tasks:
        table = summary.tables[task, "controlled"]
        for who in STATISTICS:
            for name in dict.fromkeys(table["control"]):
                row = [task, f"Z_{who.upper()}", name]
                for kind in (*summary.setup.all, "no network"):
                    at = (
                        (table["control"] == name) & (table["who"] == who) & (table["kind"] == kind)
                    )
                    held = table["held"][at] / table["entropy"][at]
                    row.append(f"{held.mean():.2f}" if at.any() else "")
                rows.append(row)
    return Grid(
        "controls of the probes, in the middle of an episode: share of the available nats",
        ["task", "of", "control", *summary.setup.all, "no network"],
        rows,
        "last m: a probe of the last m observations themselves. description: saved by online "
        "coding. shuffled: labels of other decks. control task: random labels of first cards.",
    )


def transplants(summary: Summary) -> Grid:
    rows = []
    for task in summary.setup.tasks:
        for host in summary.setup.kinds:
            for kind in ("any", "rotation"):
                found = [
                    summary.by_seed(task, "transplanted", "recovery", host=host, donor=d, map=kind)
                    for d in summary.setup.all
                ]
                name = "any linear" if kind == "any" else "rotation only"
                rows.append([task, host, name, *(format_interval(v) for v in found)])
    return Grid(
        "recovery of a network that continues from another's mapped state",
        ["task", "host", "map", *(f"from {d}" for d in summary.setup.all)],
        rows,
        "0: an uninformative state; 1: its own. The donor is always another seed.",
    )


def exchanges(summary: Summary) -> Grid:
    rows = []
    for task in summary.having("exchanged"):
        for host in summary.setup.kinds:
            at = {d: {"host": host, "donor": d} for d in summary.setup.all}

            def mean(column, donor, digits=2, task=task, at=at):
                found = summary.by_seed(task, "exchanged", column, **at[donor])
                return f"{found.mean():.{digits}f}" if len(found) else "unmatched"

            def both(donor, mean=mean):
                moved, right = mean("moved", donor), mean("accuracy", donor)
                return moved if moved == "unmatched" else f"{moved} ({right})"

            alone = ("by_chance", "bayes_from_net", "net_from_bayes")
            own = [mean(column, host) for column in alone]
            rows.append([task, host, *map(both, summary.setup.all), *own, mean("nats", host, 3)])
    return Grid(
        "interchange of a statistic's component of the state, and the belief's round trip",
        ["task", "host", *(f"from {d}" for d in summary.setup.all), "random subspace",
         "belief from state", "state from belief", "nats lost"],
        rows,
        "share of the way to the exact answer of the counterfactual history (accuracy of the "
        "likeliest answer); from another kind through a map fitted to states.",
    )  # fmt: skip


def all_of(summary: Summary) -> dict[str, Grid]:
    return {
        "competence": competences(summary),
        "overlap": overlaps(summary),
        "noise": through_noise(summary),
        "controls": controls(summary),
        "likeness": likenesses(summary),
        "others": other_measures(summary),
        "transplants": transplants(summary),
        "exchanges": exchanges(summary),
    }


def backwards(summary: Summary) -> Grid:
    rows = []
    for task in summary.having("backwards"):
        table = summary.tables[task, "backwards"]
        row = [task]
        for kind in summary.setup.all:
            here = table["kind"] == kind
            seeds = [table["value"][here & (table["seed"] == s)] for s in summary.kept(task, kind)]
            row.append(format_interval(np.array([one.mean() for one in seeds])))
        rows.append(row)
    return Grid(
        "reversed histories: residual CKA with the states after the original ones",
        ["task", *summary.setup.all],
        rows,
        "Another null: a memory of counts separates them only by the current token, which is "
        "regressed out; a memory of the last few in order separates them.",
    )


def shapes(summary: Summary) -> Grid:
    rows = []
    for task in summary.having("shaped"):
        table, row = summary.tables[task, "shaped"], [task]
        for kind in summary.setup.all:
            here = (table["point"] < 0) & (table["kind"] == kind)
            here &= np.isin(table["seed"], summary.kept(task, kind))
            row.append(format_interval(table["value"][here]))
        untrained = (table["point"] < 0) & (table["kind"] == UNTRAINED)
        rows.append([*row, f"{table['shuffled'][untrained].mean():.2f}"])
    return Grid(
        "the shape of beliefs: variance of the exact belief decoded from states by least squares",
        ["task", *summary.setup.all, "beliefs of other histories"],
        rows,
        "The belief: the next-token distribution, or the posterior means of a bandit's arms.",
    )


def distinction(summary: Summary) -> Grid:
    rows = []
    for task in summary.having("distinction"):
        table, row = summary.tables[task, "distinction"], [task]
        there = np.isfinite(table["value"])
        for kind in summary.setup.all:
            here = there & (table["kind"] == kind)
            seeds = [table["value"][here & (table["seed"] == s)] for s in summary.kept(task, kind)]
            row.append(format_interval(np.array([one.mean() for one in seeds if len(one)])))
        one_network = (table["kind"] == UNTRAINED) & (table["seed"] == 0)
        rows.append([*row, str(int(table["pairs"][one_network].sum()))])
    return Grid(
        "equal next-token distribution, different futures: relative distance of states",
        ["task", *summary.setup.all, "pairs of histories"],
        rows,
        "Mean squared distance at the same step and token, over that of histories with different "
        "next-token distributions. 0: only the distribution is held; 1: futures equally separated.",
    )


def own_histories(summary: Summary) -> Grid:
    rows = []
    for task in summary.having("own-play"):
        played = set(summary.tables[task, "own-play"]["version"].tolist())
        for kind in summary.setup.agents:
            if kind not in played:
                continue
            matrix = summary.matrix(task, "CKA", kind, "own-play")
            for a, b in summary.pairs:
                shared = in_words(summary.likeness(task, a, b))
                if summary.matched(task, a, b):
                    places = [summary.places(k)[0] + summary.kept(task, k)
                              for k in (a, b, UNTRAINED)]  # fmt: skip
                    rows.append(
                        [task, kind, f"{a}, {b}", in_words(compare(matrix, *places)), shared]
                    )
                else:
                    rows.append([task, kind, f"{a}, {b}", "unmatched", shared])
    return Grid(
        "NS on an agent's own histories, beside the shared ones",
        ["task", "played by", "kinds", "own [95 %]", "shared [95 %]"],
        rows,
        "Only where observations depend on actions. In the card games no network reads actions, so "
        "own and shared histories are the same.",
    )


def orders(summary: Summary) -> Grid:
    rows = []
    for task in summary.having("ordered"):
        table = summary.tables[task, "ordered"]
        row = [task]
        for kind in ("counter", *summary.setup.kinds, "register"):
            row.append(format_interval(summary.by_seed(task, "ordered", "order_index", kind=kind))
                       if kind in table["kind"] else "")  # fmt: skip
        rows.append(row)
    return Grid(
        "order index [95 %]: 0 for a multiset",
        ["task", "counter, exact", *summary.setup.kinds, "register, exact"],
        rows,
    )


def learning_tables(summary: Summary) -> dict[str, Grid]:
    """The tables that have rows."""
    titles = {cell: ", ".join(cell) for cell in summary.rates}
    found = {
        "rates": rates.grid(summary.rates, titles, "competence", "middle"),
        "backwards": backwards(summary),
        "shapes": shapes(summary),
        "distinction": distinction(summary),
        "own": own_histories(summary),
        "orders": orders(summary),
    }
    return {name: grid for name, grid in found.items() if grid.rows}
