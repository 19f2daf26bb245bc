"""Distances, neighbours and groups over arrays of embeddings."""

import numpy as np

import lookalike as la

rng = np.random.default_rng(7)
centres = rng.standard_normal((3, 256)).astype(np.float32)
labels = rng.integers(0, 3, size=6000)
embeddings = centres[labels] + rng.standard_normal((6000, 256)).astype(np.float32)
query = centres[1]

ids, distances = la.nearest(query, embeddings, k=5)
print("nearest rows:", ids, "at cosine distances", distances.round(3))

near = la.within(query, embeddings, 0.25)
print(len(near.ids), "rows are at most 0.25 away")

groups = {f"group {label}": embeddings[labels == label] for label in range(3)}
for linkage in ("nearest", "centroid", "mahalanobis"):
    print(linkage, la.rank_groups(query, groups, linkage=linkage))
