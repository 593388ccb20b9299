"""Change the policy while it runs: kept with who, when and why, published to every process."""
