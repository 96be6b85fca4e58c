"""What the loss in training counts and the one beside it does not, and how that is said wherever both are shown.

Knows the recipe only, so that who shows a training need not load torch.
"""

from retinula.recipe.recipe import Recipe


def only_in_training(recipe: Recipe) -> str:
    """Return what the loss in training counts and that of validation does not; empty where they are one measure.

    >>> from retinula.recipe.recipe import Objective
    >>> only_in_training(Recipe(name="mild", objective=Objective(label_smoothing=0.1, class_weights="balanced")))
    'label smoothing 0.1 and class weights'
    """
    if recipe.objective.reconstructs:
        return ""
    parts = {
        f"label smoothing {recipe.objective.label_smoothing:g}": recipe.objective.label_smoothing,
        "class weights": recipe.objective.class_weights != "none",
        "mixed pictures": recipe.augment.mixup or recipe.augment.cutmix,
    }
    return " and ".join(words for words, counts in parts.items() if counts)


def in_training(only_there: str) -> str:
    """Name the line of a training loss that counts what the one beside it does not (`only_in_training`)."""
    return f"training, with {only_there}" if only_there else "training"


def compared(held_out: str, only_there: str) -> str:
    """Say why two losses cannot be compared; nothing where they are one measure."""
    if not only_there:
        return ""
    return (
        f"The training loss alone counts {only_there}, which mostly makes it higher: "
        f"it cannot be compared with the {held_out} loss."
    )
