"""What a definition of the right shape must still obey, one small rule after another."""

from search_spaces.problems import Problem
from search_spaces.rules import alternatives, conditions, grids, parameters, ranges, reachability, strategies
from search_spaces.shape import StudyShape

# A later stage relies on what the earlier ones have made sure of.
STAGES = (
    (*ranges.RULES, *parameters.RULES, *conditions.RULES, *strategies.RULES),
    (*reachability.RULES, *alternatives.RULES),
    grids.RULES,
)


def broken_rules(definition: StudyShape) -> list[Problem]:
    """The problems of the first stage that has any."""
    for stage in STAGES:
        problems = [problem for rule in stage for problem in rule(definition)]
        if problems:
            return problems
    return []
