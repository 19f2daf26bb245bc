// The exact searches over the bare rows of a group.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "metric.hpp"
#include "parallel.hpp"
#include "row_source.hpp"

namespace lookalike::engine {

constexpr std::size_t kNoRow = static_cast<std::size_t>(-1);

// How a search ended. A bad row holds a NaN or an infinity, or is so far from a query that
// float32 cannot hold the distance; it is the first such row for any number of threads.
struct Outcome {
    bool is_complete = true;
    std::size_t bad_row = kNoRow;
    std::uint64_t rows_scored = 0;  // pairs scored exactly
};

struct Match {
    float distance;
    std::int64_t id;
    friend bool operator<(const Match& a, const Match& b) noexcept {
        return a.distance < b.distance || (a.distance == b.distance && a.id < b.id);
    }
};

struct Queries {
    const float* values;  // (count, dim), C order
    std::size_t count;
};

// distances[q * source.count() + r]: every distance.
Outcome score_all(const Scorer& scorer, Queries queries, const RowSource& source,
                  std::size_t n_threads, const Interrupted& interrupted, float* distances);

// The k nearest rows of each query by (distance, row): ids and distances (count, k); where
// fewer rows exist the rest is left as it was.
Outcome find_nearest(const Scorer& scorer, Queries queries, const RowSource& source, std::size_t k,
                     std::size_t n_threads, const Interrupted& interrupted, std::int64_t* ids,
                     float* distances);

// The rows of each query with distance <= radius, by (distance, row).
Outcome find_within(const Scorer& scorer, Queries queries, const RowSource& source, float radius,
                    std::size_t n_threads, const Interrupted& interrupted,
                    std::vector<std::vector<Match>>& matches);

}  // namespace lookalike::engine
