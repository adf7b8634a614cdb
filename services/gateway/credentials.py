"""What a brand tells us to open a channel with: checked here, kept by the dispatcher alone."""

from dataclasses import dataclass

from pydantic import BaseModel, SecretStr, ValidationError

from channels.base.channel import Channel
from shared.problems import Problem
from shared.wrong_fields import field_errors


@dataclass(frozen=True, slots=True)
class Checked:
    """Complete credentials, and the secrets among them that were made for the brand."""

    values: dict[str, object]
    made: dict[str, str]


def check_credentials(channel: Channel, given: dict[str, object]) -> Checked:
    """Complete and check credentials, or raise 422 that names fields and shows no value."""
    model = _validated(channel.credentials, given, "credentials")
    values: dict[str, object] = {}
    made: dict[str, str] = {}
    for name in type(model).model_fields:
        value = getattr(model, name)
        values[name] = value.get_secret_value() if isinstance(value, SecretStr) else value
        if isinstance(value, SecretStr) and name not in model.model_fields_set:
            made[name] = value.get_secret_value()
    return Checked(values, made)


def check_some(channel: Channel, given: dict[str, object]) -> None:
    """Refuse credentials to be put in place of old ones, if one is wrong by itself.

    What is left out stays as it was, which the dispatcher alone knows: it checks the whole.
    """
    try:
        channel.credentials.model_validate(given)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        if wrong := [each for each in found if each["type"] != "missing"]:
            raise _refused(field_errors(wrong, at=("credentials",))) from None


def check_settings(channel: Channel, given: dict[str, object]) -> dict[str, object]:
    """Return an account's settings, or raise 422."""
    model = _validated(channel.settings, given, "settings")
    return model.model_dump(mode="json", exclude_unset=True)


def _validated(kind: type[BaseModel], given: dict[str, object], name: str) -> BaseModel:
    try:
        return kind.model_validate(given)
    except ValidationError as error:
        errors = field_errors(error.errors(include_url=False, include_input=False), at=(name,))
        raise _refused(errors) from None


def _refused(errors: list[dict[str, str]]) -> Problem:
    return Problem(422, "invalid", "Some fields are wrong.", errors=errors)
