"""Learning without forgetting: the old answers on the new pictures are kept."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import log_softmax, softmax


def distillation(
    answers: Float[Tensor, "image class"], old: Float[Tensor, "image class"], *, temperature: float = 2.0
) -> Float[Tensor, ""]:
    """Learning without forgetting: what the old head says of the new pictures should stay what it said before.

    For the old classes k, with the scores z of the old head on the features of now, the scores z̃ on those of the start,
    and the temperature T:

        p = softmax(z / T),  p̃ = softmax(z̃ / T)
        loss = T² · Σ_images Σ_k p̃_k · log(p̃_k / p_k)

    It is 0 where nothing was forgotten. The factor T² keeps the gradient's size where T is changed.

    Args:
        answers: z, through which the gradient flows.
        old: z̃.
        temperature: T > 0; above 1 the small answers count too.

    Torch: torch.nn.functional.kl_div of the same numbers, times T².

    Slides: "carefully adjust LR to avoid forgetting"; this is another way to the same end.

    Source: Li and Hoiem, Learning without forgetting (ECCV 2016), equation 3, there as a cross-entropy, which differs
        by a constant, and without T² (Hinton, Vinyals and Dean, Distilling the knowledge in a neural network, 2015).
        The paper lets the old head learn too; here it stays, since it is what forgetting is measured with.
    """
    log_now, log_before = (log_softmax(scores.float() / temperature, dim=1) for scores in (answers, old.detach()))
    divergence: Tensor = (softmax(old.detach().float() / temperature, dim=1) * (log_before - log_now)).sum()
    return divergence * temperature**2
