"""`.env.example` tells every setting there is, and none that there is not."""

import json
import re
from importlib import import_module
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError
from pydantic_settings import BaseSettings

from services.local.keys import as_environment, fresh_keys
from shared.settings import MigrateSettings

ROOT = Path(__file__).parents[2]
LINE = re.compile(r"^(?P<off># )?(?P<name>[A-Z]+_[A-Z_]+)=(?P<value>.*)$", re.MULTILINE)
# Common settings that a service has no use for: consent calls nobody, and nobody calls itself.
UNUSED = {"CONSENT_CONSENT_URL", "CONSENT_DISPATCHER_URL", "DISPATCHER_DISPATCHER_URL"}


def classes() -> list[type[BaseSettings]]:
    names = ("services.gateway", "services.consent", "services.dispatcher", "sandbox")
    found = [import_module(f"{name}.settings").Settings for name in names]
    return [MigrateSettings, *found]


def variables(kind: type[BaseSettings]) -> dict[str, object]:
    prefix = kind.model_config.get("env_prefix", "")
    return {(prefix + name).upper(): field for name, field in kind.model_fields.items()}


def example() -> dict[str, tuple[bool, str]]:
    text = (ROOT / ".env.example").read_text()
    return {each["name"]: (not each["off"], each["value"]) for each in LINE.finditer(text)}


def test_every_setting_is_in_the_example() -> None:
    known = {name for kind in classes() for name in variables(kind)} - UNUSED

    assert set(example()) == known


@pytest.mark.parametrize("kind", classes(), ids=lambda kind: kind.__module__)
def test_what_is_commented_out_shows_its_default(kind: type[BaseSettings]) -> None:
    shown = example()
    for name, field in variables(kind).items():
        if name in UNUSED:
            continue
        on, value = shown[name]
        required = field.is_required()  # type: ignore[attr-defined]
        assert on or not required, f"{name} has no default"
        if not on and value:
            default = field.default  # type: ignore[attr-defined]
            text = default if isinstance(default, str) else json.dumps(default)
            assert value == text, name


@pytest.mark.parametrize("kind", classes(), ids=lambda kind: kind.__module__)
def test_secrets_have_no_default_and_are_not_shown(kind: type[BaseSettings]) -> None:
    for name, field in variables(kind).items():
        if field.annotation is SecretStr:  # type: ignore[attr-defined]
            assert field.is_required(), name  # type: ignore[attr-defined]


def test_the_example_with_fresh_keys_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {name: value for name, (on, value) in example().items() if on}
    for name, value in {**given, **as_environment(fresh_keys())}.items():
        monkeypatch.setenv(name, value)

    made = [kind() for kind in classes()]

    assert len(made) == 5


def test_a_missing_secret_is_named_and_nothing_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_DATABASE_URL", "postgresql://role:s3cret@/db")
    kind = classes()[1]

    with pytest.raises(ValidationError) as caught:
        kind()
    assert "service_key" in str(caught.value)
    assert "s3cret" not in str(caught.value)
