// The certified search of one query through codes: chunks, heads, lines, and the rows that no
// bound could exclude.
#pragma once

#include <algorithm>
#include <atomic>
#include <memory>
#include <vector>

#include "bad_row.hpp"
#include "coded_query.hpp"
#include "collectors.hpp"
#include "segment.hpp"
#include "shared_threshold.hpp"

namespace lookalike::engine {

// What the searches of one call have in common.
struct CascadeContext {
    const Scorer& scorer;
    const RowSource& source;
    const CodeStore& store;
    const SegmentGuards& guards;
    const Selection& selection;
    double share_allowed;  // of the rows
};

// Usage: begin(), then scan() over ranges of chunks that cover all of them, by one or several
// workers, then answer(). An object serves one query after another.
template <class Collector>
class CascadeSearch {
 public:
    static constexpr std::size_t kRunChunks = 16;  // scanned in one call of a kernel

    CascadeSearch(const CascadeContext& context, const Collector& empty, std::size_t n_workers);

    // How many rows begin() looks at for a first threshold.
    static std::size_t rows_to_seed(const CascadeContext& context, const Collector& empty);

    // Bounds the chunks and finds a first threshold in the nearest of them. False if the codes
    // cannot bound distances to this query.
    bool begin(const float* query, std::size_t index, const float* projected = nullptr);

    // Call before several workers scan at a time.
    void prepare_for_workers();

    // Searches chunks [first, last).
    void scan(std::size_t first, std::size_t last, std::size_t worker);

    // Settles what a worker still holds back.
    void finish(std::size_t worker);

    // The matches so far, and what they cost. Once.
    std::vector<Match> answer();
    SearchCost take_cost();

    // Whether reading every row is cheaper than going on; then the answer is to be dropped.
    bool has_given_up() const noexcept { return has_given_up_.load(std::memory_order_relaxed); }
    bool is_damaged() const noexcept { return is_damaged_.load(std::memory_order_relaxed); }
    std::size_t bad_row() const noexcept { return bad_.row(); }

 private:
    static constexpr std::size_t kFlushAt = 8192;  // survivors that wait for their lines
    static constexpr std::size_t kFirstRows = 32;  // settled before the others
    static constexpr std::size_t kFirstPerNeighbor = 3;
    static constexpr std::size_t kSeedRows = 1024;
    static constexpr std::size_t kSeedsPerNeighbor = 32;

    struct Worker {
        explicit Worker(const Collector& empty, std::size_t capacity)
            : collector(empty),
              rows(new std::uint32_t[capacity]),
              partials(new float[capacity]),
              bounds(new float[capacity]) {}
        kernels::Survivors survivors(std::size_t from) const noexcept {
            return {rows.get() + from, partials.get() + from, bounds.get() + from};
        }
        Collector collector;
        std::unique_ptr<std::uint32_t[]> rows;  // positions among the codes
        std::unique_ptr<float[]> partials, bounds;
        std::size_t count = 0;
        std::vector<float> converted;
        std::vector<std::uint32_t> by_bound;
        SearchCost cost;
        double effort = 0.0;  // of the scan, in bytes of streamed heads
        std::size_t rows_done = 0;
    };

    float threshold(const Worker& worker) const noexcept {
        return std::min(worker.collector.threshold(), shared_.value());
    }
    std::size_t scan_heads(std::size_t first_chunk, std::size_t last_chunk, float limit,
                           Worker& worker);
    void seed(Worker& worker);
    std::vector<std::uint32_t> nearest_chunks(std::size_t count) const;
    void flush(Worker& worker);
    static std::size_t put_lowest_bounds_last(std::size_t wanted, std::size_t count,
                                              Worker& worker);
    void settle(std::size_t first, std::size_t count, Worker& worker);
    std::size_t scan_lines(std::size_t level, std::size_t first, std::size_t count, float limit,
                           Worker& worker);
    void score_rows(std::size_t first, std::size_t count, double base, Worker& worker);
    void score_row(std::size_t row, Worker& worker);
    void push_zeros(Worker& worker);
    void weigh(const Worker& worker);
    std::size_t rows_between(std::size_t first_chunk, std::size_t last_chunk) const noexcept;

    const CascadeContext& context_;
    std::size_t seed_rows_;
    CodedQuery coded_;
    Query query_{};
    SharedThreshold shared_;
    std::vector<Worker> workers_;
    std::vector<float> chunk_bounds_;
    std::vector<std::uint8_t> is_chunk_done_;
    FirstBadRow bad_;
    std::atomic<bool> has_given_up_{false}, is_damaged_{false};
};

}  // namespace lookalike::engine
