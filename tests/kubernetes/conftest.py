"""The manifests as `kubectl kustomize` puts them together; nothing here talks to a cluster."""

import shutil
import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

Resource = dict[str, Any]
FOLDER = Path(__file__).parents[2] / "deploy/kubernetes"
COMPONENTS = ("postgres", "gpu", "keda", "webhooks")


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., list[Resource]]:
    """The example's resources with these components."""
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("kubectl puts the manifests together, and is not here")

    @cache
    def build(*components: str) -> list[Resource]:
        copy = tmp_path_factory.mktemp("manifests") / "kubernetes"
        shutil.copytree(FOLDER, copy)
        example = copy / "example"
        (example / "secrets.env.example").rename(example / "secrets.env")
        chosen = example / "kustomization.yaml"
        yaml = YAML()
        content = yaml.load(chosen)
        content["components"] = [f"../components/{component}" for component in components]
        yaml.dump(content, chosen)
        done = subprocess.run([kubectl, "kustomize", example], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return list(YAML(typ="safe").load_all(done.stdout))

    return build


@pytest.fixture(scope="session")
def resources(built: Callable[..., list[Resource]]) -> list[Resource]:
    return built(*COMPONENTS)
