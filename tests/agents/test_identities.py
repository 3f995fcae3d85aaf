"""What the gradients of the rungs are in expectation: exact, by enumeration, in float64.

Sources: Williams 1992 (the score function), Korbak et al. 2022 (arXiv 2205.11275), Liu et al. 2025
(arXiv 2503.20783).
"""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp

import popjax
from agents.nats import label_nats
from agents.objectives import OBJECTIVES, signals
from agents.supervision import verdict_nats
from tests.support.enumerate_all import expected_gradient, expected_return, problem

SIZES = [("HigherLowerEasy", 3), ("RepeatFirstEasy", 2), ("CountRecallEasy", 1)]  # 2, 4, 27 words
TAU = 0.7


@pytest.fixture(autouse=True)
def _float64():
    with jax.enable_x64(True):
        yield


@pytest.fixture(params=SIZES, ids=lambda size: size[0])
def task(request):
    env_id, T = request.param
    return problem(popjax.make(env_id), T)


def same(a, b):
    assert max(float(jnp.max(jnp.abs(leaf))) for leaf in jax.tree.leaves(b)) > 1e-3
    for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-9, atol=1e-12)


def scaled(tree, factor):
    return jax.tree.map(lambda leaf: factor * leaf, tree)


def of_steps(task, head, right, each):
    """The gradient of the mean over steps of `each(log pi, right)`."""

    def mean(params):
        log_pi = jax.nn.log_softmax(task.x @ params[head])
        return jnp.mean(jax.vmap(each)(log_pi, jnp.asarray(right)))

    return jax.grad(mean)(task.params)


def weighted_surprise(log_pi, right):
    """Cross-entropy, weighted by what the right word already has."""
    return -jax.lax.stop_gradient(jnp.exp(log_pi[right])) * log_pi[right]


@pytest.mark.slow
def test_a_verdict_is_a_label_weighted_by_its_probability(task):
    """E[1[a = a*] grad ln pi(a)] = pi(a*) grad ln pi(a*), whatever the baseline; twice that if a
    wrong word costs as much as the right one earns."""
    label = of_steps(task, "action", task.label, weighted_surprise)
    same(expected_gradient(task, OBJECTIVES["bandit"]), label)
    same(expected_gradient(task, OBJECTIVES["bandit"], value=0.3), label)

    def plus_or_minus(batch, terms):
        return 2 * signals.verdict(batch, terms) - 1

    both = dataclasses.replace(OBJECTIVES["bandit"], signal=plus_or_minus)
    same(expected_gradient(task, both), scaled(label, 2))


@pytest.mark.by_default("RepeatFirstEasy")
def test_a_weighted_verdict_has_the_gradient_of_a_label(task):
    same(
        expected_gradient(task, OBJECTIVES["bandit_ce"]),
        of_steps(task, "action", task.label, lambda log_pi, right: -log_pi[right]),
    )


@pytest.mark.by_default("RepeatFirstEasy")
def test_log_likelihood_and_verdict_are_one_rung(task):
    """The smoothed oracle's log-likelihood takes two values, `span` apart: so it is the verdict
    with `span` times the step and a share of the entropy bonus. With tau = 1 it is minus the
    divergence of pi from the oracle."""
    rung = OBJECTIVES["log_likelihood"]
    K = task.num_actions
    span = np.log(1 + K * (1 - rung.epsilon) / rung.epsilon)
    verdict = dataclasses.replace(OBJECTIVES["bandit"], entropy=True)
    same(
        expected_gradient(task, rung, tau=TAU),
        scaled(expected_gradient(task, verdict, tau=TAU / span), span),
    )

    def divergence(log_pi, right):
        q = (1 - rung.epsilon) * (jnp.arange(K) == right) + rung.epsilon / K
        return jnp.sum(jnp.exp(log_pi) * (log_pi - jnp.log(q)))

    own = of_steps(task, "action", task.label, divergence)
    same(expected_gradient(task, rung, tau=1.0), own)


@pytest.mark.by_default("RepeatFirstEasy")
def test_a_guess_is_a_verdict_on_the_next_token(task):
    label = of_steps(task, "token", task.token, weighted_surprise)
    same(expected_gradient(task, OBJECTIVES["guess"]), label)


@pytest.mark.by_default("RepeatFirstEasy")
def test_a_sum_of_guesses_points_the_same_way(task):
    """What is summed at the end is the same in expectation, since no guess changes a later one."""
    same(
        expected_gradient(task, OBJECTIVES["guess_sum"]),
        expected_gradient(task, OBJECTIVES["guess"]),
    )


SMALL = [("HigherLowerEasy", 3), ("RepeatFirstEasy", 2)]


@pytest.fixture(params=SMALL, ids=lambda size: size[0])
def paid(request):
    env_id, T = request.param
    return problem(popjax.make(env_id), T, seed=1)


def of_return(task, *tilt):
    """The gradient of the loss whose optimum is the best expected return."""
    slope = jax.grad(lambda params: expected_return(task, params, *tilt))(task.params)
    return scaled(slope, -1 / len(task.x))


@pytest.mark.by_default("RepeatFirstEasy")
def test_rewards_to_go_and_their_sum_at_the_end_are_one_objective(paid):
    alone = dataclasses.replace(OBJECTIVES["grpo_step"], group=1, baseline="value")
    same(expected_gradient(paid, alone), of_return(paid))
    same(expected_gradient(paid, OBJECTIVES["sum_to_end"]), of_return(paid))


@pytest.mark.by_default("RepeatFirstEasy")
def test_tuning_near_a_reference_maximises_reward_less_divergence(paid):
    reference = problem(paid.env, len(paid.x), seed=2).params
    found = expected_gradient(paid, OBJECTIVES["rlhf"], beta=0.3, reference=reference)
    same(found, of_return(paid, 0.3, reference))


def test_the_optimum_near_a_reference_is_tilted():
    """For one step: pi_ref exp(Q / beta), and no gradient is left there."""
    task, beta = problem(popjax.make("RepeatFirstEasy"), 1), 0.5
    reward = task.pay(np.arange(4)[:, None])[:, 0]
    x = task.x[0]
    tilt = jnp.outer(x, reward / beta) / (x @ x)  # adds Q / beta to the logits at x
    best = task.params | {"action": task.params["action"] + tilt}
    there = task._replace(params=best)
    left = expected_gradient(there, OBJECTIVES["rlhf"], beta=beta, reference=task.params)
    np.testing.assert_allclose(left["action"], 0, atol=1e-12)


@pytest.mark.slow  # by default: the other identities
@pytest.mark.by_default("grpo_step")
@pytest.mark.parametrize("name", ["grpo", "grpo_step"])
def test_the_mean_of_the_others_of_a_group_leaves_the_gradient_as_it_is(name):
    """With the own episode in the mean it would be shorter by 1 - 1/G: the baseline would be
    correlated with the action that it is compared with."""
    for G, T in ((2, 2), (3, 1)):
        task = problem(popjax.make("HigherLowerEasy"), T, seed=3)
        regime = dataclasses.replace(OBJECTIVES[name], group=G)
        same(expected_gradient(task, regime), of_return(task))


def test_with_two_words_a_verdict_tells_what_a_label_tells():
    p = jnp.linspace(0.01, 0.99, 33)
    log_pi = jnp.log(jnp.stack([p, 1 - p], axis=-1))
    np.testing.assert_allclose(verdict_nats(log_pi), label_nats(log_pi), rtol=1e-12)
    three = jax.nn.log_softmax(jnp.array([0.3, 0.0, -1.0]))
    assert verdict_nats(three) < label_nats(three)


@pytest.mark.parametrize(
    ("num_words", "to_half", "to_nine_tenths"),
    [(4, 2.8, 1.5), (9, 4.1, 1.9), (17, 5.8, 2.5), (27, 7.7, 3.2), (64, 13.9, 5.5)],
)
def test_how_much_longer_a_verdict_takes_without_noise(num_words, to_half, to_nine_tenths):
    """Gradient flow on the logits of one softmax from uniform. The times to 1/2 have a closed
    form, but for the factor 1 - 1/K which both share."""
    K = num_words
    right = np.arange(K) == 0

    def softmax(logits):
        return np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()

    def time(weight, level):
        def reached(t, logits):
            return softmax(logits)[0] - level

        reached.terminal = True

        def flow(t, logits):
            p = softmax(logits)
            return weight(p[0]) * (right - p)

        run = solve_ivp(flow, (0, 1e4), np.zeros(K), events=reached, rtol=1e-8, atol=1e-10)
        return run.t_events[0][0]

    label, verdict = (time(weight, 0.5) for weight in (lambda p: 1.0, lambda p: p))
    closed = np.log(K - 1) + (K - 2) / (K - 1)
    np.testing.assert_allclose(label / (1 - 1 / K), closed, rtol=1e-5)
    np.testing.assert_allclose(verdict / (1 - 1 / K), K - 2 + np.log(K - 1) + closed, rtol=1e-5)
    assert round(verdict / label, 1) == to_half
    later = time(lambda p: p, 0.9) / time(lambda p: 1.0, 0.9)
    assert round(later, 1) == to_nine_tenths
