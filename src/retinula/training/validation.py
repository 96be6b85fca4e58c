"""Loss and accuracy on pictures that were set apart to choose by."""

import torch
from torch import nn

from retinula.images import ImageSet, copied
from retinula.metrics import accuracy, cross_entropy
from retinula.training.inputs import unit
from retinula.training.plan import Plan
from retinula.transforms.augment import spoil
from retinula.transforms.batches import generator_for

VALIDATION_BATCH = 500


def validate(plan: Plan, network: nn.Module, image_set: ImageSet) -> tuple[float, float | None]:
    """Return loss and accuracy (None for a reconstruction) over a set, without smoothing, weights or mixing.

    Classes are told from the pictures as they are. A reconstruction that is trained to take noise out is measured on
    noise, the same at every call: on clean pictures the best network would be the one that changes nothing.
    """
    network.eval()
    # One tensor for all answers: small ones kept between large ones that come and go would leave holes in memory.
    logits = torch.empty(0)
    total = 0.0
    hardware = plan.hardware
    reconstructs = plan.recipe.objective.name != "cross_entropy"
    chances = generator_for(plan.recipe.seed, "validation noise")
    with torch.inference_mode():
        for start in range(0, len(image_set), VALIDATION_BATCH):
            images = torch.from_numpy(copied(image_set.images, slice(start, start + VALIDATION_BATCH)))
            images = plan.preprocess.crop_centre(images)
            seen = spoil(images, plan.augment, chances) if reconstructs else images
            inputs = plan.preprocess.normalise(seen).to(hardware.device)
            with hardware.autocast():
                output = network(inputs.contiguous(memory_format=hardware.memory_format)).float().cpu()
            if reconstructs:
                # Summed up batch by batch: all reconstructions together may not fit into memory.
                total += float(plan.loss(output, unit(images))) * len(images)
            else:
                if not start:
                    logits = output.new_empty(len(image_set), output.shape[1])
                logits[start : start + len(output)] = output
    if reconstructs:
        return total / len(image_set), None
    labels = torch.from_numpy(image_set.known_labels().copy())
    return cross_entropy(logits, labels), accuracy(logits, labels)
