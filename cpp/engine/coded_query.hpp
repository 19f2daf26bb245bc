// A query as codes, level by level, and what its bounds are compared with.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "code_store.hpp"

namespace lookalike::engine {

class CodedQuery {
 public:
    CodedQuery(const Scorer& scorer, const CodeStore& store) noexcept
        : scorer_(scorer), store_(store), family_(family_of(scorer.metric())) {}

    // Takes a query and codes its head. False if the codes cannot bound distances to it (it is
    // out of proportion to the rows, or has no direction): then the rows themselves are scanned.
    // `projected`, where given, is what project() made of this query.
    bool prepare(const float* query, const float* projected = nullptr);

    // Writes x' of several queries at once, n_values() each, to be passed to prepare(): a row of
    // P then serves all of them while it is in the cache. Zeros where prepare() will fail.
    void project(const float* queries, std::size_t count, float* projected);
    std::size_t n_values() const noexcept {
        return store_.levels.back().first + store_.levels.back().dims;
    }

    // Codes the query for a level and those before it, once. Not for several threads at a time.
    void prepare_level(std::size_t level);

    const kernels::CodeQuery& code_query(std::size_t level) const noexcept {
        return parts_[level].query;
    }
    const kernels::SadQuery& sad_query(std::size_t level) const noexcept {
        return parts_[level].sad;
    }
    std::size_t prepared() const noexcept { return prepared_; }

    // The largest bound that a row within the distance can have, before tails.
    double base_limit(float threshold) const noexcept;
    // That with the query's own tail at a level: what kernels compare their bounds with.
    float limit(double base, std::size_t level) const noexcept;

    // That for the bounds of chunks.
    float chunk_limit(double base) const noexcept;

    // What a bound of a level (before its query's tail), or of a chunk, says of a row: the least
    // that |q-x|^2 of euclidean, or the other metrics' own distance, can be. For tests and
    // explanations; searches compare bounds with limits.
    double least_distance(double bound, std::size_t level) const noexcept;
    double least_distance_of_chunk(double bound) const noexcept;

    // A lower bound for all rows of each chunk, to be compared with base_limit.
    void bound_chunks(std::vector<float>& bounds);

 private:
    struct Part {
        kernels::CodeQuery query{};
        kernels::SadQuery sad{};
        std::vector<std::int8_t> high, low;
        std::vector<std::uint8_t> codes;
        double coded_norm2 = 0.0;  // |query's codes, decoded|^2
        double norm = 0.0;         // at least |x'| of the query in these dimensions
        double error = 0.0;        // at least |true - decoded|
        double step = 0.0;
        double tail = 0.0, tail_error = 0.0;
        double paid_for_tail = 0.0;  // taken off the bound for that error
    };

    bool centre(const float* query);
    void quantise();
    void code_sums(std::size_t level);
    void code_values(std::size_t level);
    void set_terms(std::size_t level);

    const Scorer& scorer_;
    const CodeStore& store_;
    Family family_;
    const float* query_ = nullptr;
    const float* projected_ = nullptr;
    double query_norm_ = 0.0;     // |q| (inner product)
    double shift_ = 0.0;          // q.mean / |q| (inner product)
    std::vector<float> centred_;  // y = unit * q - mean; what P is applied to
    double norm2_ = 0.0;          // |y|^2
    double factor_ = 0.0;         // that scaled q
    double input_error_ = 0.0;    // |true y - y|
    double rest2_ = 0.0;          // |y|^2 less what the prepared levels hold
    double rest_error_ = 0.0;
    std::vector<std::int16_t> shorts_;  // y in units of short_step_, for the projection
    double short_step_ = 0.0;
    std::vector<std::int32_t> sums_;
    std::vector<float> values_;
    std::vector<Part> parts_;
    std::size_t prepared_ = 0;
    std::vector<std::uint32_t> chunk_rows_;
    std::vector<float> chunk_partials_;
};

}  // namespace lookalike::engine
