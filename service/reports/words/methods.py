"""What each variant is, in a sentence or two."""

import re
from collections.abc import Mapping

REGULARIZERS: Mapping[str, str] = {
    "none": "The dense layer without noise.",
    "dropout": "Each input is multiplied by 0 or 1/(1 - p), anew for every sample (Srivastava et al. 2014).",
    "gaussian_dropout": "Each input is multiplied by a normal number of mean 1 and variance p/(1 - p), anew for every "
    "sample (Srivastava et al. 2014).",
    "dropconnect": "Each weight is multiplied by 0 or 1/(1 - p), once a step for the whole batch (Wan et al. 2013).",
    "masksembles": "A few fixed masks of the inputs, one for each part of a batch; the mean over all of them predicts "
    "(Durasov et al. 2021).",
    "pernodedrop": "Each connection of each unit has a factor of its own for every sample (arXiv:2512.12663).",
    "r_drop": "Two noisy passes shall predict the same: their divergence is added to the loss (Liang et al. 2021).",
    "shakeout": "Dropout that also moves every weight along its sign, which drives small ones to 0 (Kang et al. 2016).",
    "standout": "Each unit is kept with a probability that its own weights compute from the input (Ba and Frey 2013).",
    "ninr": "One noise a sample reaches all units, by weights that are learned (Levi et al. 2022).",
    "tabu": "Dropout in which a unit that was just dropped is kept for a while (Ma et al. 2018).",
    "variational_dropout": "Gaussian noise of a learned strength, held up by a prior (Kingma et al. 2015).",
    "sparse_variational_dropout": "Each weight learns its noise, and weights that are all noise become 0 (Molchanov "
    "et al. 2017).",
    "concrete_dropout": "Dropout with a smooth mask, which learns its rate (Gal, Hron and Kendall 2017).",
    "explicit": "No noise: what the noise adds to the expected loss is added by formula (Wei et al. 2020).",
    "implicit": "No mask: the noise that masks would give the gradient is added to it (Wei et al. 2020).",
    "explicit_implicit": "No mask: both effects of the noise are added by formula (Wei et al. 2020).",
    "averaged": "A step takes the mean gradient of several passes, each under masks of its own (Wei et al. 2020).",
    "block_dropout": "Neighbouring inputs are dropped in blocks (Pal et al. 2020).",
    "spatial_dropout": "Whole channels of a feature map are dropped (Tompson et al. 2015).",
    "drop_block": "Squares of a feature map are dropped (Ghiasi et al. 2018).",
    "stochastic_depth": "Whole residual branches are dropped, deeper ones more often (Huang et al. 2016).",
    "zoneout": "Units of a recurrent state keep their last value at random (Krueger et al. 2017).",
    "variational_rnn_dropout": "One mask of inputs and states for all steps of a sequence (Gal and Ghahramani 2016).",
    "gradient_noise": "Normal noise, which fades with the steps, is added to the gradient (Neelakantan et al. 2015).",
}

# The further parts of a variant's name.
_PARTS: Mapping[str, str] = {
    "bernoulli": "The factor is 0 or 1/(1 - p).",
    "gaussian": "The factor is normal, with mean 1 and variance p/(1 - p).",
    "partial_gaussian": "A share of the factors is normal, with mean 1 and variance p/(1 - p); the others are 1.",
    "custom": "The task draws the factors.",
    "dynamic": "Masks are drawn anew in every step, and evaluation is dense.",
    "fixed": "One mask is drawn before the training, and stays in evaluation.",
    "dropout": "The noise is Dropout's.",
    "gaussian_dropout": "The noise is Gaussian Dropout's.",
    "dropconnect": "The noise is DropConnect's.",
    "pernodedrop": "The noise is PerNodeDrop's.",
    r"groups(\d+)": r"A batch has \1 groups, and the samples of a group share their mask.",
    "k1": "One mask a step.",
    r"k(\d+)": r"\1 masks a step.",
    "added_masks": "The noise that the mean has lost is added again, from further masks.",
    "added_shared_masks": "DropConnect's noise is added, from masks that the batch shares.",
    "added_isotropic": "Noise of the lost size is added again, alike in every direction.",
    "added_approximate": "The noise that the mean has lost is added again, by formula.",
    "added_none": "No noise is added.",
    "label": "The effect is estimated from labels that the model draws.",
    "jvp": "The effect is estimated from random directions.",
    "layer": "One strength for the layer.",
    "unit": "One strength for each unit.",
    "weight": "One strength for each weight.",
    "row": "Each sample draws for itself.",
    "batch": "A batch draws together.",
    "original": "A batch draws together; evaluation multiplies the branch by its probability.",
}


def meaning_of(variant: str) -> str:
    """What the variant of this name is; empty where it is another distribution's."""
    name, *rest = variant.split("-")
    said = [REGULARIZERS.get(name, "")]
    for part in rest:
        said += [re.sub(f"^{pattern}$", text, part) for pattern, text in _PARTS.items() if re.fullmatch(pattern, part)]
    return " ".join(said).strip()
