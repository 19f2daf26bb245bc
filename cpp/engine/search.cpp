// find_nearest and find_within: one search, two collectors.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <memory>

#include "bad_row.hpp"
#include "collectors.hpp"
#include "panel_filter.hpp"
#include "scan.hpp"
#include "shared_threshold.hpp"
#include "standard_rounding.hpp"

namespace lookalike::engine {
namespace {

// A panel of rows is packed once for so many queries, at a tenth of what 240 products with it
// cost; the queries themselves are read again for every panel, so they should fit a cache.
constexpr std::size_t kMostQueriesAtOnce = 1008;  // a multiple of every level's queries_at_once
constexpr std::size_t kFewestQueriesAtOnce = 240;
constexpr std::size_t kQueryBytesAtOnce = 8 << 20;
constexpr std::size_t kMatchesHeld = 4 << 20;  // (k x queries x threads) at once: 64 MiB
constexpr std::size_t kDirectPieceBytes = 1 << 20;
constexpr std::size_t kMostPanelPieceBlocks = 4;

// One block of queries against all rows.
template <class Collector>
class BlockSearch {
 public:
    BlockSearch(const Scorer& scorer, Queries queries, const RowSource& source,
                const Selection& selection, const Collector& empty, bool use_panels,
                std::size_t n_threads)
        : scorer_(scorer),
          queries_(queries),
          source_(source),
          selection_(selection),
          use_panels_(use_panels),
          shared_(queries.count),
          threads_(n_threads) {
        for (std::size_t q = 0; q < queries.count; ++q) shared_[q].lower_to(selection.limit(q));
        for (std::size_t q = 0; q < queries.count; ++q) {
            prepared_.push_back(scorer.prepare(queries.values + q * scorer.dim()));
        }
        for (Thread& thread : threads_) thread.collectors.assign(queries.count, empty);
    }

    Outcome run(const Interrupted& interrupted) {
        const std::size_t block_rows = source_.block_rows();
        const std::size_t block_bytes = block_rows * source_.dim() * sizeof(float);
        const std::size_t blocks =
            use_panels_
                ? std::clamp<std::size_t>(kMostQueriesAtOnce / queries_.count, 1,
                                          kMostPanelPieceBlocks)
                : std::max<std::size_t>(1, kDirectPieceBytes / block_bytes / queries_.count);
        const std::size_t piece_rows = block_rows * blocks;
        const std::size_t pieces = (source_.count() + piece_rows - 1) / piece_rows;
        const auto run_piece = [&](std::size_t piece, std::size_t t) {
            const std::size_t last = std::min((piece + 1) * piece_rows, source_.count());
            for (std::size_t start = piece * piece_rows; start < last; start += block_rows) {
                if (bad_.is_before(start)) return;
                search_block(start, std::min(block_rows, last - start), threads_[t]);
            }
        };
        Outcome outcome;
        outcome.is_complete = for_each_piece(pieces, threads_.size(), interrupted, run_piece);
        outcome.bad_row = bad_.row();
        for (const Thread& thread : threads_) outcome.rows_scored += thread.rows_scored;
        return outcome;
    }

    std::vector<Match> answer(std::size_t q) {
        Collector& whole = threads_[0].collectors[q];
        for (std::size_t t = 1; t < threads_.size(); ++t) whole.merge(threads_[t].collectors[q]);
        return whole.take_sorted();
    }

 private:
    struct Thread {
        std::vector<Collector> collectors;
        std::vector<float> converted, distances, products, limits, limit_thresholds;
        std::vector<std::uint32_t> found;
        std::unique_ptr<PanelFilter> filter;
        std::uint64_t rows_scored = 0;
    };

    void search_block(std::size_t start, std::size_t count, Thread& thread) {
        const Block block = source_.block(scorer_.table(), start, count, thread.converted);
        if (use_panels_) {
            search_by_panels(block, start, count, thread);
        } else {
            search_directly(block, start, count, thread);
        }
    }

    float threshold(std::size_t q, const Thread& thread) const noexcept {
        return std::min(thread.collectors[q].threshold(), shared_[q].value());
    }

    void search_directly(Block block, std::size_t start, std::size_t count, Thread& thread) {
        thread.distances.resize(count);
        for (std::size_t q = 0; q < queries_.count; ++q) {
            const std::size_t bad =
                scorer_.score(prepared_[q], block, count, thread.distances.data());
            if (bad < count && report_bad(start, bad, count, thread.distances)) {
                continue;  // an earlier row may be bad for a later query
            }
            Collector& collector = thread.collectors[q];
            float limit = threshold(q, thread);
            for (std::size_t r = 0; r < count; ++r) {
                if (!(thread.distances[r] <= limit) || !selection_.allows(start + r)) continue;
                collector.push(selection_.match(thread.distances[r], start + r));
                limit = std::min(limit, collector.threshold());
            }
            shared_[q].lower_to(limit);
        }
        thread.rows_scored += static_cast<std::uint64_t>(count) * queries_.count;
    }

    // Reports the first row that may answer and has no distance. False if there is none.
    bool report_bad(std::size_t start, std::size_t first, std::size_t count,
                    const std::vector<float>& distances) {
        for (std::size_t r = first; r < count; ++r) {
            if (std::isfinite(distances[r]) || !selection_.allows(start + r)) continue;
            bad_.report(start + r);
            return true;
        }
        return false;
    }

    void search_by_panels(Block block, std::size_t start, std::size_t count, Thread& thread) {
        const std::size_t panel_rows = scorer_.table().panel_rows;
        if (!thread.filter) prepare_panels(panel_rows, thread);
        for (std::size_t first = 0; first < count; first += panel_rows) {
            const Block rows{block.rows + static_cast<std::ptrdiff_t>(first) * block.stride,
                             block.stride};
            thread.filter->load(rows, std::min(panel_rows, count - first));
            thread.filter->products(queries_.values, queries_.count, thread.products.data());
            for (std::size_t q = 0; q < queries_.count; ++q) {
                score_candidates(q, rows, start + first, thread);
            }
        }
    }

    void prepare_panels(std::size_t panel_rows, Thread& thread) {
        thread.filter = std::make_unique<PanelFilter>(scorer_);
        thread.products.resize(queries_.count * panel_rows);
        thread.found.resize(panel_rows + 1);
        thread.limits.assign(queries_.count, INFINITY);
        thread.limit_thresholds.assign(queries_.count, INFINITY);
    }

    void score_candidates(std::size_t q, Block rows, std::size_t start, Thread& thread) {
        const PanelFilter& filter = *thread.filter;
        const Query& query = prepared_[q];
        const double norm = query.norm;
        const float now = threshold(q, thread);
        if (now != thread.limit_thresholds[q]) {
            thread.limit_thresholds[q] = now;
            thread.limits[q] = filter.limit(query, norm, now);
        }
        const float* products = thread.products.data() + q * scorer_.table().panel_rows;
        const std::size_t found = filter.candidates(products, filter.query_factor(norm),
                                                    thread.limits[q], thread.found.data());
        for (std::size_t i = 0; i < found; ++i) {
            const std::size_t r = thread.found[i];
            if (!selection_.allows(start + r)) continue;
            const Block row{rows.rows + static_cast<std::ptrdiff_t>(r) * rows.stride, rows.stride};
            float distance = 0.0f;
            if (scorer_.score(query, row, 1, &distance) == 0) {
                bad_.report(start + r);
                return;
            }
            if (distance <= now) thread.collectors[q].push(selection_.match(distance, start + r));
        }
        thread.rows_scored += found;
        if (found) shared_[q].lower_to(thread.collectors[q].threshold());
    }

    const Scorer& scorer_;
    Queries queries_;
    const RowSource& source_;
    Selection selection_;
    bool use_panels_;
    std::vector<Query> prepared_;
    std::vector<SharedThreshold> shared_;
    std::vector<Thread> threads_;
    FirstBadRow bad_;
};

// Searches block of queries by block of queries, so that memory stays bounded; `take`
// receives each query's sorted matches.
template <class Collector>
Outcome search(const Scorer& scorer, Queries queries, const RowSource& source,
               const Selection& selection, const Collector& empty, std::size_t expected_matches,
               std::size_t n_threads, const Interrupted& interrupted, const TakeMatches& take) {
    const StandardRounding rounding;  // also for what is prepared and sorted between the loops
    const std::size_t dim = source.dim();
    const double row_bytes = static_cast<double>(source.count() * dim * sizeof(float));
    const std::size_t held = std::max<std::size_t>(1, expected_matches * n_threads);
    const std::size_t cached = std::clamp(kQueryBytesAtOnce / (dim * sizeof(float)),
                                          kFewestQueriesAtOnce, kMostQueriesAtOnce);
    const std::size_t at_once = std::clamp<std::size_t>(kMatchesHeld / held, 1, cached);
    Outcome outcome;
    for (std::size_t first = 0; first < queries.count; first += at_once) {
        const std::size_t count = std::min(at_once, queries.count - first);
        const Queries some{queries.values + first * dim, count};
        const bool use_panels = PanelFilter::supports(scorer.metric()) &&
                                count >= kFewestForPanels && expected_matches < source.count() / 4;
        Selection some_selection = selection;
        if (selection.limits) some_selection.limits += first;
        BlockSearch<Collector> block(
            scorer, some, source, some_selection, empty, use_panels,
            threads_for(row_bytes * static_cast<double>(count), n_threads));
        const Outcome part = block.run(interrupted);
        outcome.rows_scored += part.rows_scored;
        outcome.is_complete = part.is_complete;
        outcome.bad_row = part.bad_row;
        if (!part.is_complete || part.bad_row != kNoRow) return outcome;
        for (std::size_t q = 0; q < count; ++q) take(first + q, block.answer(q));
    }
    return outcome;
}

}  // namespace

Outcome find_nearest(const Scorer& scorer, Queries queries, const RowSource& source,
                     const Selection& selection, std::size_t k, std::size_t n_threads,
                     const Interrupted& interrupted, const TakeMatches& take) {
    const std::size_t reachable = std::min(k, source.count());
    if (reachable == 0) return {};
    return search(scorer, queries, source, selection, NearestCollector(reachable), reachable,
                  n_threads, interrupted, take);
}

Outcome find_within(const Scorer& scorer, Queries queries, const RowSource& source,
                    const Selection& selection, float radius, std::size_t n_threads,
                    const Interrupted& interrupted, const TakeMatches& take) {
    if (source.count() == 0) return {};
    // How many rows lie within the radius is not known: count on few.
    return search(scorer, queries, source, selection, RadiusCollector(radius), 1, n_threads,
                  interrupted, take);
}

}  // namespace lookalike::engine
