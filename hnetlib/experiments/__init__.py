"""The paper's experiments, and the records that they leave under data/results/."""
