"""What sets the loss in training apart from that of validation, in words."""

from retinula.recipe.recipe import Recipe
from retinula.recipe.sections import Augmentation, Objective
from retinula.training.loss_words import only_in_training


def test_what_only_the_loss_in_training_counts() -> None:
    smooth = Objective(label_smoothing=0.2)
    mixing = Augmentation(cutmix=1.0, flip="random")
    assert only_in_training(Recipe(name="plain", augment=Augmentation(flip="random"))) == ""
    assert only_in_training(Recipe(name="mixing", augment=mixing)) == "mixed pictures"
    assert only_in_training(Recipe(name="both", augment=mixing, objective=smooth)) == (
        "label smoothing 0.2 and mixed pictures"
    )
    reconstruction = {"objective": Objective(name="mse", label_smoothing=0.2)}
    assert only_in_training(Recipe(name="plain").model_copy(update=reconstruction)) == "", "it has no labels"
