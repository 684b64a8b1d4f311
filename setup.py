"""The package list: the folder plugins/ is installed under the import name hdpo_plugins."""

from setuptools import find_packages, setup

setup(
    packages=[
        *find_packages(include=["hdpo_env*"]),
        "hdpo_plugins",
        *(f"hdpo_plugins.{name}" for name in find_packages("plugins")),
    ],
    package_dir={"hdpo_plugins": "plugins"},
)
