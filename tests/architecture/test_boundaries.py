"""Who may import whom, and that nothing is forgotten."""

import subprocess
import sys
from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_import_contracts_hold() -> None:
    checked = subprocess.run(
        [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )

    assert checked.returncode == 0, checked.stdout


def test_every_channel_is_registered() -> None:
    folders = {
        entry.name
        for entry in (ROOT / "channels").iterdir()
        if (entry / "__init__.py").exists() and entry.name != "base"
    }

    assert set(import_module("channels.registry").CHANNELS) == folders


def test_no_process_loads_what_it_does_not_need() -> None:
    """Aiogram costs seconds and 160 MB: only the process that sends through it pays."""
    for module in ("services.__main__", "services.gateway.app", "services.consent.app"):
        loaded = subprocess.run(
            [sys.executable, "-c", f"import {module}, sys; print('aiogram' in sys.modules)"],
            capture_output=True,
            text=True,
            cwd=ROOT,
            check=True,
        )
        assert loaded.stdout.strip() == "False", module


def test_the_lock_names_no_address() -> None:
    lock = (ROOT / "requirements.lock").read_text()

    assert "://" not in lock
    assert "--index" not in lock
    assert "--hash=sha256:" in lock


def test_files_stay_short_enough_to_read() -> None:
    too_long = [
        f"{path.relative_to(ROOT)}: {lines}"
        for folder in ("services", "channels", "shared", "sandbox")
        for path in (ROOT / folder).rglob("*.py")
        if "versions" not in path.parts and (lines := len(path.read_text().splitlines())) > 400
    ]

    assert too_long == []
