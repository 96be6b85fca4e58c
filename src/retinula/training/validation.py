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
    outputs, targets = [], []
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
                outputs.append(plan.loss(output, unit(images)) * len(images))
                targets.append(len(images))
            else:
                outputs.append(output)
    if targets:
        return float(torch.stack(outputs).sum()) / sum(targets), None
    logits, labels = torch.cat(outputs), torch.from_numpy(image_set.known_labels().copy())
    return cross_entropy(logits, labels), accuracy(logits, labels)
