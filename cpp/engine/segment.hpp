// One array of rows that is searched: by its codes where there are any that pay, else row by row.
#pragma once

#include <optional>
#include <vector>

#include "block_guard.hpp"
#include "code_store.hpp"
#include "scan.hpp"

namespace lookalike::engine {

// What a search through a segment cost.
struct SearchCost {
    std::uint64_t rows_scored = 0;       // pairs scored exactly
    std::uint64_t bytes_read = 0;        // of codes, rows and projections
    std::vector<std::uint64_t> skipped;  // pairs: by chunks, by heads, then by each line
    void add(const SearchCost& other);
};

struct SegmentOutcome {
    bool is_complete = true;
    std::size_t bad_row = kNoRow;  // as in Outcome
    bool is_damaged = false;       // a block failed its checksum: nothing may be answered
    SearchCost cost;
};

struct SegmentGuards {
    BlockGuard rows;
    std::vector<BlockGuard> levels;  // as many as there are levels of codes, or none
};

class Segment {
 public:
    Segment(RowSource rows, Metric metric, std::optional<CodeStore> codes, SegmentGuards guards)
        : rows_(rows), metric_(metric), codes_(std::move(codes)), guards_(std::move(guards)) {}

    const RowSource& rows() const noexcept { return rows_; }

    // The lower bound of each coded row's distance to a query (see CodedQuery::least_distance), by
    // position: of its chunk for code_level 0, of its head for 1, then of each line. Empty where
    // there are no codes, or they cannot bound distances to this query.
    std::vector<double> lower_bounds(const kernels::KernelTable& table, const float* query,
                                     std::size_t code_level) const;

    SegmentOutcome find_nearest(const kernels::KernelTable& table, Queries queries,
                                const Selection& selection, std::size_t k, std::size_t n_threads,
                                const Interrupted& interrupted, const TakeMatches& take) const;

    SegmentOutcome find_within(const kernels::KernelTable& table, Queries queries,
                               const Selection& selection, float radius, std::size_t n_threads,
                               const Interrupted& interrupted, const TakeMatches& take) const;

 private:
    RowSource rows_;
    Metric metric_;
    std::optional<CodeStore> codes_;
    SegmentGuards guards_;
};

}  // namespace lookalike::engine
