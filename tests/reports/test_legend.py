"""What each variant is, in words."""

from pernodedrop.names import LAWS, MASK_MODES, REGULARIZERS
from search_spaces import variant_of
from search_spaces.parameters import OPTIONS, OneOf
from service.reports.words import methods
from service.reports.words.methods import meaning_of


def test_every_regularizer_of_the_package_has_a_sentence() -> None:
    assert methods.REGULARIZERS.keys() == {*REGULARIZERS} - REGULARIZERS.outside
    assert meaning_of("uniform") == ""  # another distribution's


def test_every_part_of_a_variants_name_has_one() -> None:
    names = [
        variant_of({"regularizer": "pernodedrop", "stir_type": law, "mask_mode": mode})
        for law in LAWS
        if law not in LAWS.outside
        for mode in MASK_MODES
    ]
    for name, option in OPTIONS.items():
        values = option.domain.names if isinstance(option.domain, OneOf) else [4]
        told = [{"regularizer": each, name: value} for each in option.of for value in values if option.label]
        names += [variant_of(params) for params in told]
    for name in names:
        assert len(meaning_of(name).split(". ")) >= len(name.split("-")), name
    assert meaning_of("averaged-pernodedrop-k8").endswith("The noise is PerNodeDrop's. 8 masks a step.")
    assert "4 groups" in meaning_of("pernodedrop-bernoulli-dynamic-groups4")
