"""Outside systems that are the truth for what stands in a warehouse, and what they tell."""
