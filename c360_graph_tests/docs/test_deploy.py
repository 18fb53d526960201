"""The manifests and Helm values of deploy/, held against the schema of Kubernetes that its client is made of."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from kubernetes.client import models

from c360_graph.settings import Settings
from c360_graph_tests.conftest import REPOSITORY

SETTINGS = {name.upper() for name in Settings.model_fields}
VALUES = yaml.safe_load((REPOSITORY / "deploy/helm-values.yaml").read_text(encoding="utf-8"))
IMAGE = "c360_graph"


def manifests() -> list[dict[str, Any]]:
    text = (REPOSITORY / "deploy/kubernetes.yaml").read_text(encoding="utf-8")
    return [dict(document) for document in yaml.safe_load_all(text)]


def problems(value: Any, kind: str, where: str) -> Iterator[str]:
    """What a value has that its kind has not, or of another type."""
    listed = re.fullmatch(r"list\[(.+)\]", kind)
    mapped = re.fullmatch(r"dict\((\w+), (.+)\)", kind)
    if listed:
        if not isinstance(value, list):
            yield f"{where} is no list"
            return
        for number, item in enumerate(value):
            yield from problems(item, listed[1], f"{where}[{number}]")
    elif mapped:
        for key, item in value.items():
            yield from problems(item, mapped[2], f"{where}.{key}")
    elif hasattr(models, kind):
        model = getattr(models, kind)
        names = {json: name for name, json in model.attribute_map.items()}
        for key, item in value.items():
            if key not in names:
                yield f"{where} has no {key}"
            else:
                yield from problems(item, model.openapi_types[names[key]], f"{where}.{key}")
        # Raises where what is required is missing.
        model(**{names[key]: item for key, item in value.items() if key in names})
    elif kind in ("str", "int", "bool") and type(value).__name__ != kind:
        yield f"{where} is no {kind}: {value!r}"


@pytest.mark.parametrize("manifest", manifests(), ids=lambda m: str(m["kind"]))
def test_a_manifest_fits_its_schema(manifest: dict[str, Any]) -> None:
    group = manifest["apiVersion"].rpartition("/")[2].capitalize()
    assert list(problems(manifest, f"{group}{manifest['kind']}", manifest["kind"])) == []


def test_what_is_no_manifest_is_noticed() -> None:
    wrong = {"containers": [{"name": "a", "imagee": "b", "command": "c"}], "replicas": 1}
    assert list(problems(wrong, "V1PodSpec", "spec")) == [
        "spec.containers[0] has no imagee",
        "spec.containers[0].command is no list",
        "spec has no replicas",
    ]
    with pytest.raises(ValueError, match="containers"):
        list(problems({}, "V1PodSpec", "spec"))


def test_pods_run_as_the_image_does_and_only_set_settings() -> None:
    (worker,) = manifests()
    pod = worker["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsUser"] == 10001
    (container,) = pod["containers"]
    assert {variable["name"] for variable in container["env"]} <= SETTINGS
    assert container["command"] == ["c360", "worker"]
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert container["image"] == f"{IMAGE}:{project['version']}"
    (deployment,) = VALUES["dagster-user-deployments"]["deployments"]
    assert deployment["image"]["tag"] == project["version"]
    assert {variable["name"] for variable in deployment["env"]} <= SETTINGS


def test_the_pod_of_a_run_in_the_helm_values_fits_its_schema() -> None:
    config = VALUES["runLauncher"]["config"]["k8sRunLauncher"]["runK8sConfig"]
    container = {"name": "dagster", **config["containerConfig"]}
    assert list(problems(container, "V1Container", "containerConfig")) == []
    pod = {"containers": [container], **config["podSpecConfig"]}
    assert list(problems(pod, "V1PodSpec", "podSpecConfig")) == []
