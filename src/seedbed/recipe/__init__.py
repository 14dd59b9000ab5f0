"""A recipe: task, gold, teachers, student, budget and a list of steps, checked whole before anything runs."""

from seedbed.recipe.file import load_recipe
from seedbed.recipe.order import executions, walk
from seedbed.recipe.settings import BudgetSettings, GoldSettings, Recipe, TeacherSettings

__all__ = ["BudgetSettings", "GoldSettings", "Recipe", "TeacherSettings", "executions", "load_recipe", "walk"]
