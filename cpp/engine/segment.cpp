#include "segment.hpp"

#include <cfloat>
#include <cmath>
#include <numeric>

#include "cascade.hpp"
#include "standard_rounding.hpp"

namespace lookalike::engine {
namespace {

constexpr std::size_t kQueriesAtOnce = 4096;  // whose answers are held
constexpr std::size_t kGroupQueries = 16;     // that share the heads of a run in the cache
constexpr std::size_t kRunChunks = 16;
constexpr std::size_t kPieceChunks = 64;
constexpr double kHeadsShareOfWork = 1.0 / 3.0;  // the bytes of heads that a thread is worth
constexpr double kFewestAllowed = 1.0 / 64.0;    // below it, scoring those rows is cheaper
constexpr std::size_t kLeastRowsANeighbor = 8;   // with fewer, bounds exclude too little
constexpr std::size_t kFewestForPanels = 6;      // as in search.cpp: for counting bytes alone

// Whether some distance to a row may be beyond float32: then only a scan can tell, as it must.
bool may_overflow(Metric metric, const float* query, std::size_t dim, double largest_row) {
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
class SegmentSearch {
 public:
    SegmentSearch(const CascadeContext& context, Queries queries, const Collector& empty,
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
            threads == 1 ? kPieceChunks
                         : std::clamp<std::size_t>(n / (16 * threads), kRunChunks, kPieceChunks);
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
        const std::size_t group = std::clamp<std::size_t>(fair, 1, kGroupQueries);
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
        for (std::size_t chunk = 0; chunk < n; chunk += kRunChunks) {
            const std::size_t end = std::min(chunk + kRunChunks, n);
            for (std::size_t q = first; q < last; ++q) {
                if (!is_left_[q]) searches[q - first]->scan(chunk, end, 0);
            }
        }
        for (std::size_t q = first; q < last; ++q) {
            if (is_left_[q]) continue;
            end_of(q, *searches[q - first], cost);
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

    void end_of(std::size_t q, Cascade& search, SearchCost& cost) {
        end(q, search);
        cost.add(search.take_cost());
    }

    const CascadeContext& context_;
    Queries queries_;
    const Collector& empty_;
    std::size_t n_threads_;
    const Interrupted& interrupted_;
    std::vector<std::vector<Match>> matches_;
    std::vector<std::uint8_t> is_left_;
};

// How rows are scanned for each kind of answer.
Outcome scan_rows(const Scorer& scorer, Queries queries, const RowSource& rows,
                  const Selection& selection, const NearestCollector& empty, std::size_t n_threads,
                  const Interrupted& interrupted, const TakeMatches& take) {
    return find_nearest(scorer, queries, rows, selection, empty.wanted(), n_threads, interrupted,
                        take);
}

Outcome scan_rows(const Scorer& scorer, Queries queries, const RowSource& rows,
                  const Selection& selection, const RadiusCollector& empty, std::size_t n_threads,
                  const Interrupted& interrupted, const TakeMatches& take) {
    return find_within(scorer, queries, rows, selection, empty.threshold(), n_threads, interrupted,
                       take);
}

// Everything that one call on a segment needs.
template <class Collector>
class SegmentCall {
 public:
    SegmentCall(const Scorer& scorer, const RowSource& rows, const SegmentGuards& guards,
                const Selection& selection, const Collector& empty, std::size_t n_threads,
                const Interrupted& interrupted, const TakeMatches& take)
        : scorer_(scorer),
          rows_(rows),
          guards_(guards),
          selection_(selection),
          empty_(empty),
          n_threads_(n_threads),
          interrupted_(interrupted),
          take_(take) {}

    SegmentOutcome run(Queries queries, const CodeStore* codes) {
        const double n = static_cast<double>(rows_.count());
        double allowed = n;
        if (selection_.allowed) {
            std::size_t count = 0;
            for (std::size_t r = 0; r < rows_.count(); ++r) count += selection_.allowed[r] != 0;
            allowed = static_cast<double>(count);
        }
        if (allowed == 0.0) return std::move(outcome_);
        if (allowed < n * kFewestAllowed) {
            score_allowed(queries);
        } else if (!codes || allowed < static_cast<double>(empty_.wanted() * kLeastRowsANeighbor)) {
            scan(queries, selection_, take_);
        } else {
            search(queries, *codes, allowed / n);
        }
        return std::move(outcome_);
    }

 private:
    bool goes_on() const {
        return outcome_.is_complete && !outcome_.is_damaged && outcome_.bad_row == kNoRow;
    }

    void scan(Queries queries, const Selection& selection, const TakeMatches& take) {
        if (!guards_.rows.check_all()) {
            outcome_.is_damaged = true;
            return;
        }
        const Outcome found =
            scan_rows(scorer_, queries, rows_, selection, empty_, n_threads_, interrupted_, take);
        outcome_.is_complete &= found.is_complete;
        outcome_.bad_row = std::min(outcome_.bad_row, found.bad_row);
        outcome_.cost.rows_scored += found.rows_scored;
        const std::size_t passes = queries.count < kFewestForPanels ? queries.count : 1;
        outcome_.cost.bytes_read += passes * rows_.count() * rows_.row_bytes();
    }

    void search(Queries queries, const CodeStore& codes, double share_allowed) {
        for (std::size_t first = 0; first < queries.count && goes_on(); first += kQueriesAtOnce) {
            const std::size_t count = std::min(kQueriesAtOnce, queries.count - first);
            Selection selection = selection_;
            if (selection.limits) selection.limits += first;
            search_some({queries.values + first * rows_.dim(), count}, first, selection, codes,
                        share_allowed);
        }
    }

    void search_some(Queries queries, std::size_t first, const Selection& selection,
                     const CodeStore& codes, double share_allowed) {
        const CascadeContext context{scorer_, rows_, codes, guards_, selection, share_allowed};
        SegmentSearch<Collector> search(context, queries, empty_, n_threads_, interrupted_);
        outcome_.is_complete &= search.run();
        outcome_.is_damaged |= search.outcome.is_damaged;
        outcome_.bad_row = std::min(outcome_.bad_row, search.outcome.bad_row);
        outcome_.cost.add(search.outcome.cost);
        const std::vector<std::size_t> left = search.left();
        if (goes_on() && !left.empty()) scan_left(queries, left, selection, search);
        if (!goes_on()) return;
        for (std::size_t q = 0; q < queries.count; ++q) {
            take_(first + q, std::move(search.matches(q)));
        }
    }

    void scan_left(Queries queries, const std::vector<std::size_t>& left,
                   const Selection& selection, SegmentSearch<Collector>& search) {
        std::vector<float> values, limits;
        for (const std::size_t q : left) {
            const float* query = queries.values + q * rows_.dim();
            values.insert(values.end(), query, query + rows_.dim());
            limits.push_back(selection.limit(q));
        }
        Selection same = selection;
        same.limits = limits.data();
        scan({values.data(), left.size()}, same, [&](std::size_t i, std::vector<Match>&& found) {
            search.matches(left[i]) = std::move(found);
        });
    }

    // A filter that leaves few rows: they are scored, and nothing else is looked at.
    void score_allowed(Queries queries) {
        std::vector<std::size_t> allowed;
        for (std::size_t r = 0; r < rows_.count(); ++r) {
            if (selection_.allowed[r]) allowed.push_back(r);
        }
        constexpr std::size_t kPieceRows = 1024;
        const std::size_t pieces = (allowed.size() + kPieceRows - 1) / kPieceRows;
        const std::size_t bytes = rows_.row_bytes();
        const std::size_t threads =
            threads_for(static_cast<double>(allowed.size() * bytes), n_threads_);
        std::vector<std::vector<float>> buffers(threads);
        for (std::size_t q = 0; q < queries.count; ++q) {
            if (!outcome_.is_complete || outcome_.is_damaged) return;
            const Query query = scorer_.prepare(queries.values + q * rows_.dim());
            std::vector<Collector> collectors(threads, empty_);
            FirstBadRow bad;
            std::atomic<bool> is_damaged{false};
            const auto run_piece = [&](std::size_t piece, std::size_t t) {
                const std::size_t last = std::min((piece + 1) * kPieceRows, allowed.size());
                for (std::size_t i = piece * kPieceRows; i < last; ++i) {
                    if (i + 1 < last) rows_.prefetch(allowed[i + 1]);
                    const std::size_t row = allowed[i];
                    if (!guards_.rows.check(row * bytes, bytes)) {
                        is_damaged = true;
                        return;
                    }
                    float distance = 0.0f;
                    const Block block = rows_.block(scorer_.table(), row, 1, buffers[t]);
                    if (scorer_.score(query, block, 1, &distance) == 0) bad.report(row);
                    if (distance <= selection_.limit(q)) {
                        collectors[t].push(selection_.match(distance, row));
                    }
                }
            };
            outcome_.is_complete &= for_each_piece(pieces, threads, interrupted_, run_piece);
            outcome_.is_damaged |= is_damaged;
            outcome_.bad_row = std::min(outcome_.bad_row, bad.row());
            outcome_.cost.rows_scored += allowed.size();
            outcome_.cost.bytes_read += allowed.size() * bytes;
            if (outcome_.bad_row != kNoRow) continue;  // another query's may come before it
            if (!goes_on()) return;
            for (std::size_t t = 1; t < threads; ++t) collectors[0].merge(collectors[t]);
            take_(q, collectors[0].take_sorted());
        }
    }

    const Scorer& scorer_;
    const RowSource& rows_;
    const SegmentGuards& guards_;
    const Selection& selection_;
    const Collector& empty_;
    std::size_t n_threads_;
    const Interrupted& interrupted_;
    const TakeMatches& take_;
    SegmentOutcome outcome_;
};

}  // namespace

SegmentOutcome Segment::find_nearest(const kernels::KernelTable& table, Queries queries,
                                     const Selection& selection, std::size_t k,
                                     std::size_t n_threads, const Interrupted& interrupted,
                                     const TakeMatches& take) const {
    const StandardRounding rounding;
    if (rows_.count() == 0 || queries.count == 0) return {};
    const Scorer scorer(table, metric_, rows_.dim());
    const NearestCollector empty(std::min(k, rows_.count()));
    return SegmentCall<NearestCollector>(scorer, rows_, guards_, selection, empty, n_threads,
                                         interrupted, take)
        .run(queries, codes_ ? &*codes_ : nullptr);
}

SegmentOutcome Segment::find_within(const kernels::KernelTable& table, Queries queries,
                                    const Selection& selection, float radius, std::size_t n_threads,
                                    const Interrupted& interrupted, const TakeMatches& take) const {
    const StandardRounding rounding;
    if (rows_.count() == 0 || queries.count == 0) return {};
    const Scorer scorer(table, metric_, rows_.dim());
    return SegmentCall<RadiusCollector>(scorer, rows_, guards_, selection, RadiusCollector(radius),
                                        n_threads, interrupted, take)
        .run(queries, codes_ ? &*codes_ : nullptr);
}

std::vector<double> Segment::lower_bounds(const kernels::KernelTable& table, const float* query,
                                          std::size_t code_level) const {
    const StandardRounding rounding;
    if (!codes_ || code_level > codes_->levels.size()) return {};
    const CodeStore& store = *codes_;
    const Scorer scorer(table, metric_, rows_.dim());
    CodedQuery coded(scorer, store);
    if (!coded.prepare(query)) return {};
    std::vector<double> least(store.n);
    std::vector<float> chunks;
    if (code_level == 0) {
        coded.bound_chunks(chunks);
        for (std::size_t r = 0; r < store.n; ++r) {
            least[r] = coded.least_distance_of_chunk(chunks[r / kChunkRows]);
        }
        return least;
    }
    constexpr float kAll = std::numeric_limits<float>::infinity();
    const std::size_t blocks = (store.n + kernels::kBlockRows - 1) / kernels::kBlockRows;
    std::vector<std::uint32_t> rows((blocks + 1) * kernels::kBlockRows);
    std::vector<float> partials(rows.size()), bounds(rows.size());
    const kernels::Survivors all{rows.data(), partials.data(), bounds.data()};
    const bool is_manhattan = family_of(metric_) == Family::kManhattan;
    if (is_manhattan) {
        table.scan_sad_heads(coded.sad_query(0), store.levels[0].codes, blocks, kAll, 0, all);
    } else {
        table.scan_heads(coded.code_query(0), store.levels[0].codes, blocks, kAll, 0, all);
    }
    for (std::size_t level = 1; level < code_level; ++level) {
        coded.prepare_level(level);
        const std::uint8_t* codes = store.levels[level].codes;
        if (is_manhattan) {
            table.scan_sad_lines(coded.sad_query(level), codes, store.n, kAll, all);
        } else {
            table.scan_lines(coded.code_query(level), codes, store.n, kAll, all);
        }
    }
    for (std::size_t r = 0; r < store.n; ++r) {
        least[r] = coded.least_distance(bounds[r], code_level - 1);
    }
    return least;
}

void SearchCost::add(const SearchCost& other) {
    rows_scored += other.rows_scored;
    bytes_read += other.bytes_read;
    if (skipped.size() < other.skipped.size()) skipped.resize(other.skipped.size());
    for (std::size_t i = 0; i < other.skipped.size(); ++i) skipped[i] += other.skipped[i];
}

}  // namespace lookalike::engine
