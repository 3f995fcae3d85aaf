"""Experiments that ask whether an agent and a language model are the same kind of thing."""
