// The words of each costume that are not in the table of gears.

export const costumes = {
  rl: {
    title: "Reinforcement learning",
    dressed: "dressed as an agent",
    seen: "observation",
    said: "action",
    taken: "taken",
    policy: "Policy: what the agent would do",
    next: "World model: what it would be shown next",
    stream: "The episode. Marked is what is judged: the agent’s own actions, by their reward.",
    surprise: "Surprise at each observation, in nats",
    memory: "What its memory holds",
    forgetting: "What an agent forgets",
    forgotten:
      "An agent fails by forgetting what it saw. How many nats a linear probe reads, from its memory, of the observation that came so many steps before. What it must not lose is decided by the reward.",
    lag: "steps since the observation",
  },
  lm: {
    title: "Language model",
    dressed: "dressed as a language model",
    seen: "token that came",
    said: "token that was written",
    taken: "written",
    policy: "The writer: the token it would put down",
    next: "Next token: what the model expects",
    stream: "The document. Marked is what carries loss: the tokens that came, each with its surprise.",
    surprise: "Loss of each token, in nats",
    memory: "What its context holds",
    forgetting: "What a language model forgets",
    forgotten:
      "A language model fails by forgetting what it read. How many nats a linear probe reads, from its state, of the token that came so many positions before. What it must not lose is decided by the tokens still to come.",
    lag: "positions since the token",
  },
};

export const other = { rl: "lm", lm: "rl" };
