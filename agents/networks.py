"""The networks: one `Backbone`, and heads that make it an agent or a language model.

All take sequences, time first, batch second, and return the carry with the outputs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from agents.memory import Memory
from agents.memory.dense import Dense
from agents.memory.initialisers import orthogonal


class Backbone(nn.Module):
    """Encoder, then for each memory `x + memory(norm(x))`, then a last norm.

    memories: the blocks, bottom first. feed_forward: width of a two-layer residual block after
    each memory, 0 for none. Agents and language models have the same parameter tree.

    >>> from agents.memory import MEMORIES
    >>> backbone = Backbone((MEMORIES["gru"](8), MEMORIES["lstm"](8)), feed_forward=16)
    >>> backbone.state_size()  # the GRU's 8 and the LSTM's 16
    24
    """

    memories: tuple[Memory, ...]
    feed_forward: int = 0

    @nn.nowrap
    def initial_carry(self, batch_size: int) -> tuple[Any, ...]:
        return tuple(memory.initial_carry(batch_size) for memory in self.memories)

    @nn.nowrap
    def state_size(self) -> int:
        """Numbers remembered for each sequence."""
        return sum(memory.state_size() for memory in self.memories)

    @nn.compact
    def __call__(
        self, carry: tuple[Any, ...], x: Float[Array, "T B d"], start: Bool[Array, "T B"]
    ) -> tuple[tuple[Any, ...], Float[Array, "T B features"]]:
        x = Dense(self.memories[0].features, name="encoder")(x)
        carries = []
        for i, (memory, memory_carry) in enumerate(zip(self.memories, carry, strict=True)):
            memory_carry, y = memory(memory_carry, nn.LayerNorm(name=f"norm_{i}")(x), start)
            carries.append(memory_carry)
            x = x + y
            if self.feed_forward:
                y = nn.LayerNorm(name=f"feed_forward_norm_{i}")(x)
                y = nn.gelu(Dense(self.feed_forward, name=f"feed_forward_in_{i}")(y))
                x = x + Dense(x.shape[-1], name=f"feed_forward_out_{i}")(y)
        return tuple(carries), nn.LayerNorm(name="norm_out")(x)


class Head(nn.Module):
    """Two dense layers with LeakyReLU and a linear one that starts close to zero.

    scale: of the last layer. gain: of the dense layers. last_init: of the last layer's weights,
    "orthogonal", or "normal" with the deviation `scale`.

    >>> import jax
    >>> head = Head(num_outputs=4, features=8, scale=0.01)
    >>> y, params = head.init_with_output(jax.random.key(0), jnp.ones((2, 3)))
    >>> y.shape, bool(abs(y).max() < 0.1)
    ((2, 4), True)
    """

    num_outputs: int
    features: int
    scale: float
    gain: float = 2**0.5
    last_init: str = "orthogonal"

    @nn.compact
    def __call__(self, x):
        for _ in range(2):
            x = nn.leaky_relu(Dense(self.features, kernel_init=orthogonal(self.gain))(x))
        last = {"orthogonal": orthogonal, "normal": nn.initializers.normal}[self.last_init]
        return Dense(self.num_outputs, kernel_init=last(self.scale))(x)


@dataclass(frozen=True)
class HeadInit:
    """The initialisation of an agent's two heads, see `Head`.

    >>> HeadInit(policy=0.1)
    HeadInit(policy=0.1, value=1.0, gain=1.4142135623730951, init='orthogonal')
    """

    policy: float = 0.01
    value: float = 1.0
    gain: float = 2**0.5
    init: str = "orthogonal"


class ActorCritic(nn.Module):
    """A policy and a value on one `Backbone`, or each on its own.

    num_actions: raw outputs of the policy, see `agents.distributions.num_outputs`.
    critic: the value's own backbone; None shares the actor's. head_init: initialisation of the
    heads. squash: reals are drawn from a Gaussian squashed into their box, see
    `agents.distributions`. free: how many of the last outputs are parameters that do not depend on
    the input (log standard deviations).

    >>> import jax
    >>> from agents.small import small
    >>> _, network, params = small()
    >>> x, start = jnp.ones((5, 2, 9)), jnp.zeros((5, 2), bool)
    >>> carry, policy, value = jax.jit(network.apply)(params, network.initial_carry(2), x, start)
    >>> policy.shape, value.shape
    ((5, 2, 4), (5, 2))
    """

    backbone: Backbone
    num_actions: int
    head_features: int = 128
    critic: Backbone | None = None
    head_init: HeadInit = HeadInit()
    squash: bool = False
    free: int = 0

    @nn.nowrap
    def initial_carry(self, batch_size: int) -> Any:
        carries = (self.backbone.initial_carry(batch_size),)
        return carries if self.critic is None else (*carries, self.critic.initial_carry(batch_size))

    @nn.compact
    def __call__(
        self, carry: Any, x: Float[Array, "T B d"], start: Bool[Array, "T B"]
    ) -> tuple[Any, Float[Array, "T B num_actions"], Float[Array, "T B"]]:
        actor_carry, features = self.backbone(carry[0], x, start)
        if self.critic is None:
            carry, critic_features = (actor_carry,), features
        else:
            critic_carry, critic_features = self.critic(carry[1], x, start)
            carry = (actor_carry, critic_carry)
        begin = self.head_init
        shape = {"features": self.head_features, "gain": begin.gain, "last_init": begin.init}
        depending = self.num_actions - self.free
        policy = Head(depending, scale=begin.policy, **shape, name="policy")(features)
        if self.free:
            free = self.param("free", nn.initializers.zeros, (self.free,))
            free = jnp.broadcast_to(free, (*policy.shape[:-1], self.free))
            policy = jnp.concatenate([policy, free], axis=-1)
        value = Head(1, scale=begin.value, **shape, name="value")(critic_features)
        return carry, policy, value[..., 0]


class LanguageModel(nn.Module):
    """`Backbone`, a head for the next token, and where requested one for the action.

    A token has one or more components (`sizes`), each with a head of its own that reads the
    features, the action and the components before it, so that any joint law can be learned:
    p(token) = prod_i p(component i | features, action, components before i).

    num_actions: raw outputs of the action head, 0 for none: the policy half of the stream.

    >>> import jax
    >>> from agents.memory import MEMORIES
    >>> model = LanguageModel(Backbone((MEMORIES["gru"](8),)), sizes=(4,), head_features=8)
    >>> x, start = jnp.ones((5, 2, 9)), jnp.zeros((5, 2), bool)
    >>> carry = model.initial_carry(2)
    >>> params = jax.jit(model.init)(jax.random.key(0), carry, x, start)
    >>> carry, logits, _ = jax.jit(model.apply)(params, carry, x, start)
    >>> logits.shape
    (5, 2, 4)
    """

    backbone: Backbone
    sizes: tuple[int, ...]
    num_actions: int = 0
    head_features: int = 128

    def setup(self):
        self.next_token = [Head(size, self.head_features, 0.01) for size in self.sizes]
        if self.num_actions:
            self.policy = Head(self.num_actions, self.head_features, 0.01)

    @nn.nowrap
    def initial_carry(self, batch_size: int) -> Any:
        return self.backbone.initial_carry(batch_size)

    def __call__(
        self,
        carry: Any,
        x: Float[Array, "T B d"],
        start: Bool[Array, "T B"],
        action: Float[Array, "T B a"] | None = None,
        token: Float[Array, "T B sizes"] | None = None,
    ) -> tuple[Any, Float[Array, "T B sizes"], Float[Array, "T B num_actions"]]:
        """Carry, logits of all components side by side, raw outputs of the action head.

        action: flat code of the action taken at x, None if tokens do not depend on it. token: flat
        code of the token to come, of which each component sees those before it; None if there is
        only one.
        """
        carry, features = self.backbone(carry, x, start)
        policy = self.policy(features) if self.num_actions else features[..., :0]
        return carry, self.token_logits(features, action, token), policy

    def token_logits(self, features, action=None, token=None):
        """The logits alone, from the features: for sampling component by component."""
        seen = [features] if action is None else [features, action]
        logits, at = [], 0
        for head, size in zip(self.next_token, self.sizes, strict=True):
            before = [] if at == 0 else [token[..., :at]]
            logits.append(head(jnp.concatenate([*seen, *before], axis=-1)))
            at += size
        return jnp.concatenate(logits, axis=-1)
