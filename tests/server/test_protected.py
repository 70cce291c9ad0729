"""What counts as a test, its configuration or its machinery, and what is product code."""

import pytest

from codeact.protected import protected

COLLECTED = frozenset({"tests/unit/test_cart.py", "checks/check_it.py", "src/shop/tests/test_x.py"})
EXISTING = frozenset(
    {
        "shop/__init__.py", "shop/cart.py", "shop/json.py", "src/shop/__init__.py", "src/shop/testing/fakes.py",
        "calendar.py", "src/pytest_shop.py", "lib/_pytest/__init__.py", "tools/run.py", *COLLECTED,
    }
)  # fmt: skip


@pytest.mark.parametrize(
    "path",
    [
        "checks/check_it.py", "tests/unit/test_cart.py", "conftest.py", "src/shop/conftest.py", "pyproject.toml",
        "pytest.ini", ".pytest.ini", "pytest.toml", "tox.ini", "setup.cfg", "noxfile.py", ".coveragerc",
        "sub/pyproject.toml", "anywhere/test_new.py", "new_test.py", "tests/data/prices.json", "tests/unit/helpers.py",
        "src/shop/tests/__init__.py", "sitecustomize.py", "src/usercustomize.py", "evil.pth", "pytest.py",
        "_pytest/__init__.py", "pluggy.py", "pluggy/__init__.py", "pytest_evil.py", "src/pytest_evil.py",
        "pytest_evil/__init__.py", "json.py", "src/random.py", "random/__init__.py", "decimal.so",
        "math.cpython-311-x86_64-linux-gnu.so", "shop/__pycache__/cart.cpython-311.pyc", "tools/subprocess.py",
    ],
)  # fmt: skip
def test_tests_and_what_can_bend_them_are_protected(path: str) -> None:
    """Each of these can make a wrong program pass, so a proof takes it from the snapshot."""
    assert protected(path, COLLECTED, EXISTING)


@pytest.mark.parametrize(
    "path",
    [
        "shop/cart.py", "shop/new.py", "shop/random.py", "shop/json.py", "src/shop/testing/fakes.py",
        "src/shop/testing/new.py", "calendar.py", "src/pytest_shop.py", "lib/_pytest/new.py", "README.md", "json.txt",
        "data/json/prices.csv", "newpackage/__init__.py", "newpackage/core.py", "contest.py", "testament.py",
        "latest.py",
    ],
)  # fmt: skip
def test_product_code_is_not_protected(path: str) -> None:
    """A product may have a package called testing, or a module named like one of the standard library's."""
    assert not protected(path, COLLECTED, EXISTING)
