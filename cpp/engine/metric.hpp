// The five metrics: which kernels score them, and the finished distance of one pair.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "../kernels/kernel_table.hpp"
#include "row_source.hpp"

namespace lookalike::engine {

enum class Metric : int { kCosine, kEuclidean, kSqeuclidean, kManhattan, kInnerProduct };

// A query with what its scores need.
struct Query {
    const float* values;
    double norm;       // q.q over the same 32 lanes as the rows' (cosine only)
    bool is_in_range;  // q.q can be trusted in float32
};

// Scores rows of one dimension by one metric with one kernel level: the only place where a
// returned distance comes from, so that one pair has one number.
class Scorer {
 public:
    Scorer(const kernels::KernelTable& table, Metric metric, std::size_t dim) noexcept;

    const kernels::KernelTable& table() const noexcept { return *table_; }
    Metric metric() const noexcept { return metric_; }
    std::size_t dim() const noexcept { return dim_; }

    Query prepare(const float* values) const noexcept;

    // out[r] = distance from query to row r of the block. Returns the first row whose value
    // is not finite (a NaN or infinity in it, or a distance beyond float32), or `count`.
    std::size_t score(const Query& query, Block block, std::size_t count,
                      float* out) const noexcept;

 private:
    // Whether a sum of 0 is exact, and no underflow.
    bool has_exact_zero(const Query& query, const float* row, float first,
                        float second) const noexcept;
    // The distance of one row, all sums in double; NaN or infinite if it cannot be held.
    float score_in_double(const Query& query, const float* row) const noexcept;

    const kernels::KernelTable* table_;
    Metric metric_;
    std::size_t dim_;
    kernels::ScanF32 scan_;
    kernels::ScanF64 scan_in_double_;
    kernels::Finish finish_;
};

}  // namespace lookalike::engine
