"""Answers that can be checked: final answers, steps, and programs that run in a sandbox only."""
