"""What a training step costs, beside the authors' package hypnettorch, and what asking all tasks' networks costs.

`make bench` takes all times and writes data/results/benchmarks/step.json and inference.json. `steps` sets a contestant
up, `memory` runs one in a process of its own, `test_step` and `test_inference` take the times, `conftest` stores and
prints them. `gpu` is a script for a machine with a GPU; its record, gpu.json, was copied from what it printed.
"""
