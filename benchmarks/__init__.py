"""What a training step costs: the bare target network, ours, and the authors' package hypnettorch.

`make bench` takes all times and writes data/results/benchmarks/step.json. `steps` sets a contestant up, `memory` runs
one in a process of its own, `test_step` takes the times, `conftest` stores and prints them.
"""
