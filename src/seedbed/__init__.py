"""seedbed grows training data for language models and proves that it helped."""

__version__ = "0.1.0"
