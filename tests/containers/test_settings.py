"""The example of settings and the compose files say the same."""

import re

from .base_images import REPOSITORY
from .fleet import COMPOSE_FILE, GPU_OVERLAY


def test_the_example_names_every_setting_and_sets_the_secrets_alone() -> None:
    files = COMPOSE_FILE.read_text() + GPU_OVERLAY.read_text()
    example = (REPOSITORY / ".env.example").read_text()
    named = set(re.findall(r"^#?([A-Z_]+)=", example, re.MULTILINE))
    assert named == set(re.findall(r"\$\{([A-Z_]+)", files))
    assert set(re.findall(r"^([A-Z_]+)=", example, re.MULTILINE)) == {"PERNODEDROP_API_KEY", "POSTGRES_PASSWORD"}
