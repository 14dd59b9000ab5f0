"""What many voters together say about each row; one file for each model.

Tempered     ours: abstentions, one-sided and correlated voters, slices, known labels; start here
DawidSkene   a confusion matrix for each voter; three votes a row or more, and no abstentions
OneCoin      one accuracy for each voter
Glad         skill of voters, ease of rows
Mace         voters who look, and voters who click
Majority     one vote each
"""

from seedbed.inspection.label_models.contract import LabelModel
from seedbed.inspection.label_models.dawid_skene import DawidSkene
from seedbed.inspection.label_models.glad import Glad
from seedbed.inspection.label_models.mace import Mace
from seedbed.inspection.label_models.majority import Majority
from seedbed.inspection.label_models.one_coin import OneCoin
from seedbed.inspection.label_models.tempered import Tempered

__all__ = ["DawidSkene", "Glad", "LabelModel", "Mace", "Majority", "OneCoin", "Tempered"]
