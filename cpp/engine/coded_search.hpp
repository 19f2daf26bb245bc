// Queries through the codes of one segment: one by several threads, or several by each.
#pragma once

#include <cfloat>
#include <cmath>
#include <memory>
#include <vector>

#include "cascade.hpp"
#include "parallel.hpp"

namespace lookalike::engine {

// Whether some distance to a row may be beyond float32: then only a scan can tell, as it must.
inline bool may_overflow(Metric metric, const float* query, std::size_t dim, double largest_row) {
    double norm2 = 0.0;
    for (std::size_t i = 0; i < dim; ++i) norm2 += double{query[i]} * query[i];
    const double norm = std::sqrt(norm2), sum = norm + largest_row, most = FLT_MAX / 2.0;
    switch (metric) {
        case Metric::kCosine:
            return false;
        case Metric::kEuclidean:
            return sum > most;
        case Metric::kSqeuclidean:
            return sum * sum > most;
        case Metric::kManhattan:
            return sum * std::sqrt(static_cast<double>(dim)) > most;
        default:
            return norm * largest_row > most;
    }
}

template <class Collector>
class CodedSearch {
 public:
    CodedSearch(const CascadeContext& context, Queries queries, const Collector& empty,
                std::size_t n_threads, const Interrupted& interrupted)
        : context_(context),
          queries_(queries),
          empty_(empty),
          n_threads_(n_threads),
          interrupted_(interrupted),
          matches_(queries.count),
          is_left_(queries.count) {}

    // Searches through codes; false if interrupted. What they cannot serve is left.
    bool run() {
        if (queries_.count == 1) return run_one();
        return run_groups();
    }

    std::vector<std::size_t> left() const {
        std::vector<std::size_t> found;
        for (std::size_t q = 0; q < is_left_.size(); ++q) {
            if (is_left_[q]) found.push_back(q);
        }
        return found;
    }
    std::vector<Match>& matches(std::size_t q) { return matches_[q]; }
    SegmentOutcome outcome;

 private:
    using Cascade = CascadeSearch<Collector>;
    static constexpr std::size_t kGroupQueries = 16;  // that share the heads of a run in the cache
    static constexpr std::size_t kSeededTogether = 64 << 10;  // rows, for a group's thresholds
    static constexpr std::size_t kPieceChunks = 64;
    static constexpr double kHeadsShareOfWork = 1.0 / 3.0;  // the bytes of heads a thread is worth

    const float* query(std::size_t q) const { return queries_.values + q * context_.source.dim(); }

    bool begin(std::size_t q, Cascade& search, const float* projected = nullptr) {
        const CodeStore& store = context_.store;
        is_left_[q] =
            may_overflow(context_.scorer.metric(), query(q), store.dim, store.largest_row) ||
            !search.begin(query(q), q, projected);
        return !is_left_[q];
    }

    void end(std::size_t q, Cascade& search) {
        is_left_[q] = search.has_given_up();
        if (!is_left_[q]) matches_[q] = search.answer();
    }

    void collect(const SearchCost& cost, const Cascade& search) {
        outcome.cost.add(cost);
        outcome.is_damaged |= search.is_damaged();
        outcome.bad_row = std::min(outcome.bad_row, search.bad_row());
    }

    bool run_one() {
        const CodeStore& store = context_.store;
        const double head_bytes =
            static_cast<double>(store.n * (store.levels[0].width + sizeof(float)));
        const std::size_t threads =
            n_threads_ == 1 ? 1 : threads_for(head_bytes * kHeadsShareOfWork, n_threads_);
        Helpers helpers(threads - 1);  // started while the query is prepared and seeded
        Cascade search(context_, empty_, threads);
        if (!begin(0, search)) return true;
        const std::size_t n = store.n_chunks;
        const std::size_t step =
            threads == 1
                ? kPieceChunks
                : std::clamp<std::size_t>(n / (16 * threads), Cascade::kRunChunks, kPieceChunks);
        const std::size_t pieces = (n + step - 1) / step;
        if (threads > 1) search.prepare_for_workers();
        // Behind the pieces to scan comes one for each thread, to settle what it still holds.
        const bool is_complete = helpers.for_each_piece(
            pieces + threads, interrupted_, [&](std::size_t piece, std::size_t t) {
                if (piece >= pieces) {
                    search.finish(t);
                } else {
                    search.scan(piece * step, std::min((piece + 1) * step, n), t);
                }
            });
        if (is_complete) end(0, search);
        collect(search.take_cost(), search);
        return is_complete;
    }

    bool run_groups() {
        const std::size_t fair = queries_.count / (2 * n_threads_);
        // Interrupts are looked for between groups: where k is large, groups are small.
        const std::size_t seeded = kSeededTogether / Cascade::rows_to_seed(context_, empty_);
        const std::size_t most = std::clamp<std::size_t>(seeded, 1, kGroupQueries);
        const std::size_t group = std::clamp<std::size_t>(fair, 1, most);
        const std::size_t pieces = (queries_.count + group - 1) / group;
        const std::size_t threads = std::min(n_threads_, pieces);
        std::vector<std::vector<std::unique_ptr<Cascade>>> searches(threads);
        std::vector<SearchCost> costs(threads);
        const bool is_complete =
            for_each_piece(pieces, threads, interrupted_, [&](std::size_t piece, std::size_t t) {
                while (searches[t].size() < group) {
                    searches[t].push_back(std::make_unique<Cascade>(context_, empty_, 1));
                }
                const std::size_t first = piece * group;
                run_group(first, std::min(first + group, queries_.count), searches[t], costs[t]);
            });
        for (std::size_t t = 0; t < threads; ++t) {
            outcome.cost.add(costs[t]);
            for (const auto& search : searches[t]) collect({}, *search);
        }
        return is_complete;
    }

    void run_group(std::size_t first, std::size_t last,
                   const std::vector<std::unique_ptr<Cascade>>& searches, SearchCost& cost) {
        const std::vector<float> projected = project_group(first, last);
        const std::size_t n_values = projected.size() / (last - first);
        for (std::size_t q = first; q < last; ++q) {
            const float* values = n_values ? projected.data() + (q - first) * n_values : nullptr;
            begin(q, *searches[q - first], values);
        }
        const std::size_t n = context_.store.n_chunks;
        for (std::size_t chunk = 0; chunk < n; chunk += Cascade::kRunChunks) {
            const std::size_t end = std::min(chunk + Cascade::kRunChunks, n);
            for (std::size_t q = first; q < last; ++q) {
                if (!is_left_[q]) searches[q - first]->scan(chunk, end, 0);
            }
        }
        for (std::size_t q = first; q < last; ++q) {
            if (is_left_[q]) continue;
            end(q, *searches[q - first]);
            cost.add(searches[q - first]->take_cost());
        }
    }

    // What P makes of some queries; empty where each does that by itself.
    std::vector<float> project_group(std::size_t first, std::size_t last) const {
        if (!context_.store.projection) return {};
        CodedQuery coded(context_.scorer, context_.store);
        std::vector<float> projected((last - first) * coded.n_values());
        coded.project(query(first), last - first, projected.data());
        return projected;
    }

    const CascadeContext& context_;
    Queries queries_;
    const Collector& empty_;
    std::size_t n_threads_;
    const Interrupted& interrupted_;
    std::vector<std::vector<Match>> matches_;
    std::vector<std::uint8_t> is_left_;
};

}  // namespace lookalike::engine
