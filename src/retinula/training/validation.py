"""Loss and accuracy on pictures that were set apart to choose by."""

import torch
from torch import nn

from retinula.images import ImageSet, copied
from retinula.metrics import accuracy, cross_entropy
from retinula.portions import portions
from retinula.training import processes
from retinula.training.plan import Plan
from retinula.transforms.augment import spoil
from retinula.transforms.batches import generator_for
from retinula.transforms.levels import unit


def validate(plan: Plan, network: nn.Module, image_set: ImageSet) -> tuple[float, float | None]:
    """Return loss and accuracy (None for a reconstruction) over a set, without smoothing, weights or mixing.

    Classes are told from the pictures as they are. A reconstruction that is trained to take noise out is measured on
    noise, the same at every call: on clean pictures the best network would be the one that changes nothing.
    Several processes take the batches in turns.
    """
    network.eval()
    hardware = plan.hardware
    reconstructs = plan.recipe.objective.reconstructs
    # One tensor for all answers: small ones kept between large ones that come and go would leave holes in memory.
    logits = torch.zeros(0 if reconstructs else len(image_set), len(image_set.classes))
    total = torch.zeros((), dtype=torch.float64)
    chances = generator_for(plan.recipe.seed, "validation noise")
    with torch.inference_mode():
        for number, part in enumerate(portions(len(image_set), image_set.shape)):
            mine = processes.takes(number)
            if not mine and not reconstructs:
                continue
            images = torch.from_numpy(copied(image_set.images, part))
            images = plan.preprocess.centre(images)
            seen = spoil(images, plan.augment, chances) if reconstructs else images
            if not mine:
                continue  # only its noise had to be drawn, for that of the next batch to be the same
            inputs = plan.preprocess.normalise(seen).to(hardware.device)
            with hardware.autocast():
                output = network(inputs.contiguous(memory_format=hardware.memory_format)).float().cpu()
            if reconstructs:
                # Summed up batch by batch: all reconstructions together may not fit into memory.
                total += float(plan.loss(output, unit(images))) * len(images)
            else:
                logits[part] = output
    if reconstructs:
        return float(processes.added_up(total)) / len(image_set), None
    logits = processes.added_up(logits)  # those of the others are zero
    labels = torch.from_numpy(image_set.known_labels().copy())
    return cross_entropy(logits, labels), accuracy(logits, labels)
