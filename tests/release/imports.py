"""Imports all modules of ours and what they depend on: run by an archive's own Python."""

import importlib
import pkgutil

import rpool
import rpool_provider

OTHERS = (
    "ansible.cli.inventory",
    "ansible.cli.playbook",
    "ansible.plugins.strategy.linear",
    "google._upb._message",
)
RUN = "__main__"

for package in (rpool, rpool_provider):
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        if not module.name.endswith(RUN):
            importlib.import_module(module.name)
for name in OTHERS:
    importlib.import_module(name)
print("imported")
