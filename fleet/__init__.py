"""A simulated mail site behind real SSH servers on loopback: for the demo, the tests and the benchmarks.

    with Fleet(folder, scenario="migration") as fleet:
        ...  # folder/hosts.toml is an inventory of six hosts

It speaks SSH and nothing else to the rest of zonescope; `fleet.past` alone writes into a history.
"""

from fleet.run import Fleet, FleetError

__all__ = ["Fleet", "FleetError"]
