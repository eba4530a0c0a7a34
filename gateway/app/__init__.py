"""Puts the gateway together: the only place that knows which part is made of which."""

from gateway.app.program import Gateway, choose_policy, opened, run

__all__ = ["Gateway", "choose_policy", "opened", "run"]
