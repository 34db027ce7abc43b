"""A synthetic district that sends the same ugly files real departments send, with the truth beside them."""

from demo.district import DemoSummary, generate

__all__ = ["DemoSummary", "generate"]
