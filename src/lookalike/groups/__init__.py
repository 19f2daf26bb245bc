"""One number for the distance from a query to a group as a whole, and ranking of groups."""

from lookalike.groups.linkage import LINKAGES, group_distance, rank_groups

__all__ = ["LINKAGES", "group_distance", "rank_groups"]
