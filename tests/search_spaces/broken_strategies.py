"""Definitions whose sampler, pruner, search or budget cannot be, each with its message."""

from typing import Any

from tests.search_spaces.studies import categorical, own, raw, real, whole


def grid_of(**dimensions: Any) -> dict[str, Any]:
    return own(dimensions, sampler={"name": "grid"}, budget=None)


STRATEGIES: list[tuple[dict[str, Any], str]] = [
    (raw(objectives=[{"metric": "val_loss"}] * 2), 'objectives[1].metric is an objective already, got "val_loss"'),
    (
        raw(objectives=[{"metric": "val_loss"}, {"metric": "val_accuracy"}], sampler={"name": "cmaes"}),
        'sampler.name must be "tpe", "random", "grid", "qmc" or "nsgaii" with several objectives, got "cmaes"',
    ),
    (
        raw(objectives=[{"metric": "val_loss"}, {"metric": "val_accuracy"}], pruner={"name": "median"}),
        'pruner.name must be "none" with several objectives, got "median"',
    ),
    (
        raw(objectives=[{"metric": "val_loss"}, {"metric": "val_accuracy"}], budget={"trials": 9, "patience": 3}),
        "budget.patience must be left out with several objectives, got 3",
    ),
    (
        raw(sampler={"name": "tpe", "lag": 2}, budget={"trials": 9, "patience": 3}),
        "budget.patience must be left out with sampler.lag: it counts results as they come, which differs between "
        "fleets, got 3",
    ),
    (
        raw(objectives=[{"metric": "train_hessian_top"}], fixed={"curvature_every": 2}),
        "objectives[0].metric needs fixed.curvature_every: 1, which measures it after every epoch, got "
        '"train_hessian_top"',
    ),
    (
        raw(objectives=[{"metric": "train_mask_noise"}]),
        "objectives[0].metric needs fixed.mask_noise_pairs: 1, which measures it after every epoch, got "
        '"train_mask_noise"',
    ),
    (
        raw(
            search="race",
            search_space={"regularizer": categorical("dropout", "pernodedrop"), "mask_groups": whole(1, 1_048_576)},
        ),
        "search needs at most 1,000 combinations of the dimensions that tell variants apart, got more: set it to free, "
        "or give them fewer values or a condition (when)",
    ),
    (
        raw(pruner={"name": "asha", "min_epochs": 8}),
        "pruner.min_epochs must be below task.epochs (8), else the pruner saves nothing, got 8: lower it, or leave the "
        "pruner out",
    ),
    (
        raw(pruner={"name": "asha", "min_epochs": 1, "reduction_factor": 2, "brackets": 9}),
        "pruner.brackets must be at most 4 with rungs from 1 to 8 epochs, got 9: lower it, or min_epochs",
    ),
    (
        raw(pruner={"name": "asha"}, repeats=2),
        "repeats must be 1 with the asha pruner, whose rungs compare one curve each, got 2: let a confirmation train "
        "the best under more",
    ),
    (
        raw(pruner={"name": "asha"}, search="race"),
        'search must be "free" or left out with the asha pruner, which compares all trials on one ladder, got "race"',
    ),
    (
        raw(pruner={"name": "asha"}, budget={"trials": 5}),
        "budget.trials must be at least 9, of which the rungs let one be trained to its end, got 5: raise it or "
        "pruner.min_epochs",
    ),
    (
        raw(budget={"epochs": 7}),
        "budget.epochs must be at least 8, which train one trial to its end, got 7: raise it",
    ),
    *(
        (
            raw(pruner={"name": name, "min_epochs": epochs}),
            f"pruner.min_epochs must be below task.epochs (8), else the pruner saves nothing, got {epochs}: lower it, "
            "or leave the pruner out",
        )
        for name in ("hyperband", "successive_halving")
        for epochs in (8, 9)
    ),
    (
        raw(pruner={"name": "hyperband", "min_epochs": 9}, repeats=2),
        "pruner.min_epochs must be at most task.epochs (8), else the pruner saves nothing, got 9: lower it, or leave "
        "the pruner out",
    ),
    (
        raw(pruner={"name": "successive_halving", "min_epochs": 2, "min_early_stopping_rate": 1}),
        "pruner.min_early_stopping_rate puts the first rung after 8 epochs, which must be below task.epochs (8), else "
        "the pruner saves nothing, got 1: lower it, or leave the pruner out",
    ),
    (
        raw(pruner={"name": "wilcoxon"}, repeats=2),
        "repeats must be at least 3 with the wilcoxon pruner, got 2: raise it, or leave the pruner out",
    ),
    (
        raw(pruner={"name": "wilcoxon", "n_startup_repeats": 5}, repeats=5),
        "repeats must be at least 6 with the wilcoxon pruner, got 5: raise it, or leave the pruner out",
    ),
    (
        raw(pruner={"name": "wilcoxon", "p_threshold": 0}, repeats=5),
        "pruner.p_threshold must be above 0, else the pruner stops no trial, got 0: raise it, or leave the pruner out",
    ),
    (
        raw(sampler={"name": "tpe", "multivariate": False}),
        "sampler.group must be false where multivariate is false, got true",
    ),
    (raw(budget=None), "budget.trials is missing: the tpe sampler has no end of its own (only the grid has)"),
    (
        own({"x": categorical("a", "b"), "y": real(0, 1, when={"x": "a"}), "z": real(1, 1)}, sampler={"name": "cmaes"}),
        "search_space must hold a numeric dimension without a condition and with more than one value for the cmaes "
        "sampler",
    ),
    (
        own({"x": categorical("a")}, sampler={"name": "gp"}),
        "search_space must hold a dimension without a condition and with more than one value for the gp sampler",
    ),
    (grid_of(x=real(0, 1)), "search_space.x.step is missing: the grid sampler needs finitely many values"),
    (
        grid_of(x=whole(1, 1001), y=whole(1, 1000)),
        "search_space must have at most 1,000,000 combinations for the grid sampler",
    ),
    (
        grid_of(**{f"x{n}": categorical(0, 1) for n in range(15)}, y=whole(1, 1, when={f"x{n}": 0 for n in range(15)})),
        "search_space must have at most 20,000 combinations of dimensions that others depend on",
    ),
]
