#include "segment.hpp"

#include "coded_search.hpp"
#include "standard_rounding.hpp"

namespace lookalike::engine {
namespace {

constexpr double kFewestAllowed = 1.0 / 64.0;    // below it, scoring those rows is cheaper
constexpr std::size_t kLeastRowsANeighbor = 16;  // with fewer, seeding reads most of them
constexpr std::size_t kQueriesAtOnce = 4096;     // whose answers are held

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
        CodedSearch<Collector> search(context, queries, empty_, n_threads_, interrupted_);
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
                   const Selection& selection, CodedSearch<Collector>& search) {
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
