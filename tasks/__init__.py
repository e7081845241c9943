"""One folder a benchmark: where its items come from, its scoring rule, how its subsets roll up."""
