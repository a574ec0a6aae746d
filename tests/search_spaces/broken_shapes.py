"""Definitions that are wrong in themselves, before any rule compares their parts, and what is said of each."""

from typing import Any

from tests.search_spaces.studies import categorical, own, raw, real, space, whole

SHAPES: list[tuple[dict[Any, Any], str]] = [
    (raw(name=None), "name is missing"),
    (
        raw(name="Capital"),
        'name must have 1 to 63 of a-z, 0-9, ., _ and -, and start with a letter or digit, got "Capital"',
    ),
    (raw(description="\0"), 'description must not contain NUL characters, got "\\u0000"'),
    (raw(description="x" * 2001), f'description must have at most 2000 characters, got "{"x" * 59}...'),
    (raw(description="\ud800"), 'description must be valid Unicode text, got "\\ud800"'),
    (raw(nam="x"), "nam is no known field: did you mean name?"),
    (
        raw(**{"a\nb": 1}),
        '["a\\nb"] is no known field: known are schema_version, name, description, task, objectives, '
        "search_space, fixed, sampler, pruner, search, budget, priority, seed, repeats, repeats_vary, folds, "
        "confirmation, evaluation, keep, retries, start_with, start_from",
    ),
    (raw() | {3: 4}, "definition must have text for its keys, got 3"),
    (raw(schema_version=2), "schema_version must be 1, got 2"),
    (raw(task="digits"), 'task must be an object, got "digits": write {name: digits}'),
    (raw(pruner="ahsa"), 'pruner must be an object, got "ahsa": write {name: asha}'),
    (
        raw(pruner=3),
        'pruner must be an object, got 3: write {name: ...} with "none", "median", "hyperband", "successive_halving", '
        '"asha", "wilcoxon" or "paired"',
    ),
    (raw(objectives="val_loss"), 'objectives must be a list, got "val_loss": its entries have metric, direction'),
    (raw(task={"name": "digits", "epoch": 3}), "task.epoch is no known field: did you mean epochs?"),
    (raw(task={"name": "digits", "epochs": 0}), "task.epochs must be at least 1, got 0"),
    (raw(task={"name": "digits", "epochs": True}), "task.epochs must be a whole number, got true"),
    (raw(task={"name": "digits", "epochs": 2.5}), "task.epochs must be a whole number, got 2.5"),
    (raw(task={"name": "digits", "train_size": 0}), "task.train_size must be at least 1, got 0"),
    (raw(task={"name": "os.path"}), 'task.name must be the name of a task or package.module:Class, got "os.path"'),
    (
        raw(task={"name": "digits", "options": {"x": None}}),
        "task.options.x must be text, a number, true or false, got null",
    ),
    (raw(objectives=[]), "objectives must hold at least 1 entries, got none"),
    (raw(objectives=[{"metric": "val_loss"}] * 4), "objectives must hold at most 3 entries, got more"),
    (
        raw(objectives={"metric": "val_loss"}),
        "objectives must be a list, got an object: its entries have metric, direction",
    ),
    (
        raw(objectives=[{"metric": "test_loss"}]),
        'objectives[0].metric must be "val_" or "train_" and the metric '
        '(the test split is never optimized), got "test_loss"',
    ),
    (
        raw(objectives=[{"metric": "val_loss", "direction": "down"}]),
        'objectives[0].direction must be "minimize" or "maximize", got "down"',
    ),
    (raw(search_space=[]), "search_space must be an object, got a list"),
    (
        space(drop_rate={"low": 0, "high": 0.5}),
        'search_space.drop_rate.type is missing: choose "float", "int" or "categorical"',
    ),
    (
        space(drop_rate={"type": "real"}),
        'search_space.drop_rate.type must be "float", "int" or "categorical", got "real"',
    ),
    (space(drop_rate={"type": "float", "low": 0}), "search_space.drop_rate.high is missing"),
    (space(drop_rate=real(0, 0.5, stepp=1)), "search_space.drop_rate.stepp is no known field: did you mean step?"),
    (space(drop_rate=real(0, float("inf"))), "search_space.drop_rate.high must be a finite number, got Infinity"),
    (space(drop_rate=real(0, float("nan"))), "search_space.drop_rate.high must be a finite number, got NaN"),
    (space(drop_rate=real(0, 1e300)), "search_space.drop_rate.high must be at most 9007199254740992, got 1e+300"),
    (
        space(units=whole(1, 10**5000)),
        "search_space.units.high must be at most 9007199254740992, got a number of many digits",
    ),
    (space(drop_rate=real(False, 0.5)), "search_space.drop_rate.low must be a number, got false"),
    (
        space(learning_rate={"type": "float", "low": "1e-3", "high": 0.1}),
        'search_space.learning_rate.low must be a number, got "1e-3" (that is text: write 0.001 without quotes)',
    ),
    (
        raw(sampler={"name": "tpe", "lag": "3"}),
        'sampler.lag must be a whole number, got "3" (that is text: write 3 without quotes)',
    ),
    (space(units=whole(1, 2.5)), "search_space.units.high must be a whole number, got 2.5"),  # type: ignore[arg-type]
    (
        space(**{"a b": whole(1, 2)}),
        'search_space["a b"] must be a name of at most 64 letters, digits and _ that starts with no digit, got "a b"',
    ),
    (own({f"x{n}": whole(1, 2) for n in range(65)}), "search_space must hold at most 64 entries, got more"),
    (own({"x": categorical()}), "search_space.x.choices must hold at least 1 entries, got none"),
    (own({"x": categorical(*range(257))}), "search_space.x.choices must hold at most 256 entries, got more"),
    (
        own({"x": categorical("y" * 201)}),
        f'search_space.x.choices[0] must have at most 200 characters, got "{"y" * 59}...',
    ),
    (own({"x": categorical("a\nb")}), 'search_space.x.choices[0] must not contain control characters, got "a\\nb"'),
    (own({"x": categorical("\udfff")}), 'search_space.x.choices[0] must be valid Unicode text, got "\\udfff"'),
    (own({"x": categorical(float("nan"))}), "search_space.x.choices[0] must be a finite number, got NaN"),
    (
        own({"x": categorical(2**53 + 1)}),
        "search_space.x.choices[0] must lie within -2**53 and 2**53, got 9007199254740993",
    ),
    (own({"x": categorical([1])}), "search_space.x.choices[0] must be text, a number, true or false, got a list"),
    (own({"x": whole(1, 2, when="y")}), 'search_space.x.when must be an object, got "y"'),
    (own({"x": whole(1, 2, when={"y": []})}), "search_space.x.when.y must hold at least 1 entries, got none"),
    (raw(fixed={"units": None}), "fixed.units must be text, a number, true or false, got null"),
    (
        raw(sampler={"seed": 1}),
        'sampler.name is missing: choose "tpe", "random", "grid", "qmc", "cmaes", "gp" or "nsgaii"',
    ),
    (raw(sampler={"name": "tpe", "seed": -1}), "sampler.seed must be at least 0, got -1"),
    (raw(sampler={"name": "tpe", "seed": 2**32}), "sampler.seed must be at most 4294967295, got 4294967296"),
    (
        raw(sampler={"name": "random", "n_startup_trials": 3}),
        "sampler.n_startup_trials is no known field: known are seed, lag, name",
    ),
    (raw(sampler={"name": "nsgaii", "crossover_prob": 1.5}), "sampler.crossover_prob must be at most 1, got 1.5"),
    (
        raw(pruner={"name": "halving"}),
        'pruner.name must be "none", "median", "hyperband", "successive_halving", "asha", "wilcoxon" or "paired", '
        'got "halving": did you mean "successive_halving"?',
    ),
    (raw(budget={"trials": 0}), "budget.trials must be at least 1, got 0"),
    (raw(budget={"trials": 1, "patience": 0}), "budget.patience must be at least 1, got 0"),
    (raw(budget={"trials": 1, "device_time": -1}), "budget.device_time must be above 0, got -1"),
    (raw(priority=101), "priority must be at most 100, got 101"),
    (raw(priority=True), "priority must be a whole number, got true"),
    (
        raw(budget={"trials": 1, "wall_time": "4 hours"}),
        'budget.wall_time must be a number of seconds or a text such as "4h" or "1h30m", got "4 hours"',
    ),
    (
        raw(budget={"trials": 1, "wall_time": ""}),
        'budget.wall_time must be a number of seconds or a text such as "4h" or "1h30m", got ""',
    ),
    (raw(budget={"trials": 1, "trial_timeout": 0}), "budget.trial_timeout must be above 0, got 0"),
    (raw(budget={"trials": 1, "trial_timeout": "0s"}), "budget.trial_timeout must be above 0, got 0.0"),
    (raw(seed=-1), "seed must be at least 0, got -1"),
    (raw(seed=2**32), "seed must be at most 4294967295, got 4294967296"),
    (raw(seed=True), "seed must be a whole number, got true"),
    (raw(repeats=101), "repeats must be at most 100, got 101"),
    (raw(keep="all"), 'keep must be "none", "confirmed", "best" or "every", got "all"'),
    (raw(keep=True), 'keep must be "none", "confirmed", "best" or "every", got true'),
    (raw(retries=-1), "retries must be at least 0, got -1"),
    (raw(confirmation={"until": "sure"}), 'confirmation.until must be "fixed" or "decided", got "sure"'),
    (
        raw(confirmation={"until": "decided", "most_repeats": 1001}),
        "confirmation.most_repeats must be at most 1000, got 1001",
    ),
    (
        raw(confirmation={"until": "decided", "indifference": -0.1}),
        "confirmation.indifference must be at least 0, got -0.1",
    ),
    (
        raw(confirmation={"until": "decided", "indifference": float("nan")}),
        "confirmation.indifference must be a finite number, got NaN",
    ),
]
