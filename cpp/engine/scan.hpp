// The exact searches over the bare rows of a group.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <vector>

#include "metric.hpp"
#include "parallel.hpp"
#include "row_source.hpp"

namespace lookalike::engine {

// So many queries at once go through panels of rows, which are then read once for all of them:
// packing a row costs about as much as scoring it thrice.
constexpr std::size_t kFewestForPanels = 6;

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
    std::uint32_t row;  // where an id is not the row's own number: groups of fewer than 2^32 rows
    std::int64_t id;
    friend bool operator<(const Match& a, const Match& b) noexcept {
        return a.distance < b.distance || (a.distance == b.distance && a.id < b.id);
    }
};

struct Queries {
    const float* values;  // (count, dim), C order
    std::size_t count;
};

// Which rows may answer, what they are called, and how far they may be.
struct Selection {
    const std::uint8_t* allowed = nullptr;  // a byte a row, 0 for those that may not; null: all
    const std::int64_t* keys = nullptr;     // what breaks ties; null: the row's number
    const float* limits = nullptr;          // a query's largest distance of interest; null: none

    bool allows(std::size_t row) const noexcept { return !allowed || allowed[row]; }
    Match match(float distance, std::size_t row) const noexcept {
        return {distance, static_cast<std::uint32_t>(row),
                keys ? keys[row] : static_cast<std::int64_t>(row)};
    }
    float limit(std::size_t query) const noexcept {
        return limits ? limits[query] : std::numeric_limits<float>::infinity();
    }
};

// distances[q * source.count() + r]: every distance.
Outcome score_all(const Scorer& scorer, Queries queries, const RowSource& source,
                  std::size_t n_threads, const Interrupted& interrupted, float* distances);

// Receives each query's matches, sorted by (distance, id). Queries come in order.
using TakeMatches = std::function<void(std::size_t query, std::vector<Match>&& matches)>;

// The k nearest rows of each query by (distance, id).
Outcome find_nearest(const Scorer& scorer, Queries queries, const RowSource& source,
                     const Selection& selection, std::size_t k, std::size_t n_threads,
                     const Interrupted& interrupted, const TakeMatches& take);

// The rows of each query with distance <= radius, by (distance, id).
Outcome find_within(const Scorer& scorer, Queries queries, const RowSource& source,
                    const Selection& selection, float radius, std::size_t n_threads,
                    const Interrupted& interrupted, const TakeMatches& take);

}  // namespace lookalike::engine
