#include "cascade.hpp"

#include <array>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

namespace lookalike::engine {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr std::size_t kBlocksAChunk = kChunkRows / kernels::kBlockRows;

// What a byte costs beside one of a streamed head: lines and rows are met at random. Measured
// with benchmarks/index_bench.py on the machine of its results; used for deciding alone.
constexpr double kLineEffort = 6.0;
constexpr double kRowEffort = 5.0;
constexpr std::size_t kRowsAhead = 1;  // asked from the memory before they are scored
// A search is given up when going on would take longer than reading every row, judged on at
// least this share of the rows.
constexpr std::size_t kLeastRowsToJudge = 4096;
constexpr std::size_t kShareToJudge = 16;

std::size_t bytes_of_block(const CodeLevel& head, Family family) noexcept {
    const std::size_t floats = family == Family::kManhattan ? 1 : 2;
    return kernels::kBlockRows * (head.width + floats * sizeof(float));
}

// In total order: a NaN, which only a forged file can bring, comes first.
bool is_lower(float a, float b) noexcept { return a < b || (std::isnan(a) && !std::isnan(b)); }

}  // namespace

template <class Collector>
CascadeSearch<Collector>::CascadeSearch(const CascadeContext& context, const Collector& empty,
                                        std::size_t n_workers)
    : context_(context),
      seed_rows_(rows_to_seed(context, empty)),
      coded_(context.scorer, context.store) {
    const std::size_t capacity =
        std::max(kFlushAt + kRunChunks * kChunkRows, seed_rows_) + kChunkRows + kernels::kBlockRows;
    for (std::size_t w = 0; w < n_workers; ++w) workers_.emplace_back(empty, capacity);
    is_chunk_done_.resize(context.store.n_chunks);
}

template <class Collector>
std::size_t CascadeSearch<Collector>::rows_to_seed(const CascadeContext& context,
                                                   const Collector& empty) {
    const double wanted =
        static_cast<double>(std::max(kSeedRows, kSeedsPerNeighbor * empty.wanted()));
    const double all = static_cast<double>(context.store.n_chunks * kChunkRows);
    return static_cast<std::size_t>(std::min(all, wanted / std::max(context.share_allowed, 1e-9)));
}

template <class Collector>
bool CascadeSearch<Collector>::begin(const float* query, std::size_t index,
                                     const float* projected) {
    shared_.reset(context_.selection.limit(index));
    if (!coded_.prepare(query, projected)) return false;
    query_ = context_.scorer.prepare(query);
    has_given_up_ = false;
    for (Worker& worker : workers_) {
        worker.collector.clear();
        worker.cost = {};
        worker.cost.skipped.assign(context_.store.levels.size() + 1, 0);
        worker.count = worker.rows_done = 0;
        worker.effort = 0.0;
    }
    // Rows without codes that no query scores: dead ones, and the zeros of cosine.
    const CodeStore& codes = context_.store;
    workers_[0].cost.skipped[0] = context_.source.count() - codes.n - codes.n_uncoded;
    std::fill(is_chunk_done_.begin(), is_chunk_done_.end(), std::uint8_t{0});
    Worker& worker = workers_[0];
    for (std::size_t i = 0; i < context_.store.n_uncoded; ++i) {
        score_row(context_.store.uncoded[i], worker);
    }
    coded_.bound_chunks(chunk_bounds_);
    if (!worker.collector.is_full()) seed(worker);
    worker.effort = 0.0;
    return true;
}

template <class Collector>
void CascadeSearch<Collector>::prepare_for_workers() {
    coded_.prepare_level(context_.store.levels.size() - 1);
}

template <class Collector>
std::size_t CascadeSearch<Collector>::rows_between(std::size_t first_chunk,
                                                   std::size_t last_chunk) const noexcept {
    return std::min(last_chunk * kChunkRows, context_.store.n) - first_chunk * kChunkRows;
}

// Appends what the head cannot exclude to the worker's survivors.
template <class Collector>
std::size_t CascadeSearch<Collector>::scan_heads(std::size_t first_chunk, std::size_t last_chunk,
                                                 float limit, Worker& worker) {
    const CodeStore& store = context_.store;
    const kernels::KernelTable& table = context_.scorer.table();
    const Family family = family_of(context_.scorer.metric());
    const std::size_t block_bytes = bytes_of_block(store.levels[0], family);
    const std::size_t first_block = first_chunk * kBlocksAChunk;
    const std::size_t all_blocks = (store.n + kernels::kBlockRows - 1) / kernels::kBlockRows;
    const std::size_t n_blocks = std::min(last_chunk * kBlocksAChunk, all_blocks) - first_block;
    const std::size_t offset = first_block * block_bytes, bytes = n_blocks * block_bytes;
    if (!context_.guards.levels.empty() && !context_.guards.levels[0].check(offset, bytes)) {
        is_damaged_ = true;
        return 0;
    }
    const std::uint8_t* blocks = store.levels[0].codes + offset;
    const auto first_row = static_cast<std::uint32_t>(first_chunk * kChunkRows);
    const kernels::Survivors found = worker.survivors(worker.count);
    std::size_t count =
        family == Family::kManhattan
            ? table.scan_sad_heads(coded_.sad_query(0), blocks, n_blocks, limit, first_row, found)
            : table.scan_heads(coded_.code_query(0), blocks, n_blocks, limit, first_row, found);
    while (count > 0 && found.rows[count - 1] >= store.n) --count;  // padding of the last block
    worker.count += count;
    worker.cost.skipped[1] += rows_between(first_chunk, last_chunk) - count;
    worker.cost.bytes_read += bytes;
    worker.effort += static_cast<double>(bytes);
    return count;
}

template <class Collector>
void CascadeSearch<Collector>::scan(std::size_t first, std::size_t last, std::size_t w) {
    if (has_given_up() || is_damaged()) return;
    Worker& worker = workers_[w];
    float known = threshold(worker);
    double base = coded_.base_limit(known);
    std::size_t chunk = first;
    while (chunk < last) {
        const float chunk_limit = coded_.chunk_limit(base);
        const auto is_skipped = [&](std::size_t c) { return chunk_bounds_[c] > chunk_limit; };
        if (is_chunk_done_[chunk] || is_skipped(chunk)) {
            if (!is_chunk_done_[chunk]) {
                worker.cost.skipped[0] += rows_between(chunk, chunk + 1);
            }
            ++chunk;
            continue;
        }
        std::size_t end = chunk + 1;
        while (end < last && end - chunk < kRunChunks && !is_chunk_done_[end] && !is_skipped(end)) {
            ++end;
        }
        scan_heads(chunk, end, coded_.limit(base, 0), worker);
        chunk = end;
        if (worker.count > kFlushAt) flush(worker);
        if (const float now = threshold(worker); now != known) {
            known = now;
            base = coded_.base_limit(now);
        }
    }
    worker.rows_done += rows_between(first, last);
    weigh(worker);
}

template <class Collector>
void CascadeSearch<Collector>::finish(std::size_t w) {
    if (!has_given_up() && !is_damaged()) flush(workers_[w]);
}

// The nearest rows are probably in the nearest chunks: their distances make a threshold.
template <class Collector>
void CascadeSearch<Collector>::seed(Worker& worker) {
    const std::size_t wanted = (seed_rows_ + kChunkRows - 1) / kChunkRows;
    for (const std::uint32_t chunk : nearest_chunks(wanted)) {
        is_chunk_done_[chunk] = 1;
        scan_heads(chunk, chunk + 1, kInfinity, worker);
    }
    flush(worker);
}

template <class Collector>
std::vector<std::uint32_t> CascadeSearch<Collector>::nearest_chunks(std::size_t count) const {
    const std::size_t n = context_.store.n_chunks;
    count = std::min(count, n);
    std::vector<std::uint32_t> nearest;
    if (count == 0) return nearest;
    nearest.reserve(count);
    const auto is_nearer = [&](std::uint32_t a, std::uint32_t b) {
        return chunk_bounds_[a] < chunk_bounds_[b] ||
               (chunk_bounds_[a] == chunk_bounds_[b] && a < b);
    };
    for (std::uint32_t c = 0; c < n; ++c) {
        if (nearest.size() < count) {
            nearest.push_back(c);
            if (nearest.size() == count) std::make_heap(nearest.begin(), nearest.end(), is_nearer);
        } else if (chunk_bounds_[c] < chunk_bounds_[nearest.front()]) {
            std::pop_heap(nearest.begin(), nearest.end(), is_nearer);
            nearest.back() = c;
            std::push_heap(nearest.begin(), nearest.end(), is_nearer);
        }
    }
    std::sort(nearest.begin(), nearest.end());
    return nearest;
}

template <class Collector>
std::size_t CascadeSearch<Collector>::scan_lines(std::size_t level, std::size_t first,
                                                 std::size_t count, float limit, Worker& worker) {
    const CodeLevel& lines = context_.store.levels[level];
    const kernels::KernelTable& table = context_.scorer.table();
    if (!context_.guards.levels.empty() && context_.guards.levels[level].is_guarding()) {
        for (std::size_t i = 0; i < count; ++i) {
            const std::size_t offset = worker.rows[first + i] * lines.row_bytes;
            if (context_.guards.levels[level].check(offset, lines.row_bytes)) continue;
            is_damaged_ = true;
            return 0;
        }
    }
    const kernels::Survivors kept = worker.survivors(first);
    const std::size_t left =
        family_of(context_.scorer.metric()) == Family::kManhattan
            ? table.scan_sad_lines(coded_.sad_query(level), lines.codes, count, limit, kept)
            : table.scan_lines(coded_.code_query(level), lines.codes, count, limit, kept);
    const double bytes = static_cast<double>(count * lines.row_bytes);
    worker.cost.skipped[level + 1] += count - left;
    worker.cost.bytes_read += count * lines.row_bytes;
    worker.effort += kLineEffort * bytes;
    return left;
}

// Takes the buffered survivors through the lines, and scores what is left of them: first those
// with the lowest bounds, for the threshold that spares most of the others.
template <class Collector>
void CascadeSearch<Collector>::flush(Worker& worker) {
    const std::size_t count = std::exchange(worker.count, 0);
    const std::size_t first = std::max(kFirstRows, kFirstPerNeighbor * worker.collector.wanted());
    if (2 * first >= count || worker.collector.wanted() == 0) {
        settle(0, count, worker);
        return;
    }
    const std::size_t rest = count - put_lowest_bounds_last(first, count, worker);
    settle(rest, count - rest, worker);
    const float limit = coded_.limit(coded_.base_limit(threshold(worker)), 0);
    std::size_t kept = 0;
    for (std::size_t i = 0; i < rest; ++i) {
        const float bound = worker.bounds[i];
        worker.rows[kept] = worker.rows[i];
        worker.partials[kept] = worker.partials[i];
        worker.bounds[kept] = bound;
        kept += !(bound > limit);
    }
    worker.cost.skipped[1] += rest - kept;
    settle(0, kept, worker);
}

// Moves about so many survivors, those with the lowest bounds, behind all others; returns how
// many. The bound that parts them is found in a sample: it need not be exact.
template <class Collector>
std::size_t CascadeSearch<Collector>::put_lowest_bounds_last(std::size_t wanted, std::size_t count,
                                                             Worker& worker) {
    constexpr std::size_t kSample = 128;
    std::array<float, kSample> sample;
    const std::size_t step = (count + kSample - 1) / kSample;
    std::size_t size = 0;
    for (std::size_t i = 0; i < count; i += step) sample[size++] = worker.bounds[i];
    const auto nth = sample.begin() + static_cast<std::ptrdiff_t>(size * wanted / count);
    std::nth_element(sample.begin(), nth, sample.begin() + static_cast<std::ptrdiff_t>(size));
    const float most = *nth;
    std::size_t end = count;
    for (std::size_t i = count; i-- > 0;) {
        if (!(worker.bounds[i] <= most)) continue;
        --end;
        std::swap(worker.rows[i], worker.rows[end]);
        std::swap(worker.partials[i], worker.partials[end]);
        std::swap(worker.bounds[i], worker.bounds[end]);
    }
    return count - end;
}

// Takes survivors [first, first + count) through the lines, and scores what is left of them.
template <class Collector>
void CascadeSearch<Collector>::settle(std::size_t first, std::size_t count, Worker& worker) {
    const double base = coded_.base_limit(threshold(worker));
    for (std::size_t level = 1; level < context_.store.levels.size() && count > 0; ++level) {
        if (level >= coded_.prepared()) coded_.prepare_level(level);
        count = scan_lines(level, first, count, coded_.limit(base, level), worker);
    }
    score_rows(first, count, base, worker);
}

// The likeliest rows first: they lower the threshold, and spare the others.
template <class Collector>
void CascadeSearch<Collector>::score_rows(std::size_t first, std::size_t count, double base,
                                          Worker& worker) {
    const std::size_t last = context_.store.levels.size() - 1;
    worker.by_bound.resize(count);
    std::iota(worker.by_bound.begin(), worker.by_bound.end(), static_cast<std::uint32_t>(first));
    std::sort(worker.by_bound.begin(), worker.by_bound.end(),
              [&](std::uint32_t a, std::uint32_t b) {
                  return is_lower(worker.bounds[a], worker.bounds[b]);
              });
    const auto prefetch = [&](std::size_t i) {
        context_.source.prefetch(context_.store.order[worker.rows[worker.by_bound[i]]]);
    };
    for (std::size_t i = 0; i < std::min(kRowsAhead, count); ++i) prefetch(i);
    float known = threshold(worker);
    float limit = coded_.limit(base, last);
    for (std::size_t i = 0; i < count && !is_damaged(); ++i) {
        const std::uint32_t at = worker.by_bound[i];
        if (worker.bounds[at] > limit) {  // the threshold has fallen: so for all that follow
            worker.cost.skipped[last + 1] += count - i;
            return;
        }
        if (i + kRowsAhead < count) prefetch(i + kRowsAhead);
        score_row(context_.store.order[worker.rows[at]], worker);
        if (const float now = threshold(worker); now != known) {
            known = now;
            limit = coded_.limit(coded_.base_limit(now), last);
        }
    }
}

template <class Collector>
void CascadeSearch<Collector>::score_row(std::size_t row, Worker& worker) {
    if (!context_.selection.allows(row)) {
        ++worker.cost.skipped[0];
        return;
    }
    const std::size_t bytes = context_.source.row_bytes();
    if (!context_.guards.rows.check(row * bytes, bytes)) {
        is_damaged_ = true;
        return;
    }
    const Block block = context_.source.block(context_.scorer.table(), row, 1, worker.converted);
    float distance = 0.0f;
    ++worker.cost.rows_scored;
    worker.cost.bytes_read += bytes;
    worker.effort += kRowEffort * static_cast<double>(bytes);
    if (context_.scorer.score(query_, block, 1, &distance) == 0) {
        bad_.report(row);
        return;
    }
    if (!(distance <= shared_.value())) return;
    worker.collector.push(context_.selection.match(distance, row));
    shared_.lower_to(worker.collector.threshold());
}

template <class Collector>
void CascadeSearch<Collector>::weigh(const Worker& worker) {
    const std::size_t least =
        std::max(kLeastRowsToJudge, context_.store.n / kShareToJudge / workers_.size());
    if (worker.rows_done < least) return;
    const double plain = static_cast<double>(worker.rows_done * context_.source.row_bytes());
    // What waits costs at least its next step.
    const std::vector<CodeLevel>& levels = context_.store.levels;
    const double next = levels.size() > 1
                            ? kLineEffort * static_cast<double>(levels[1].row_bytes)
                            : kRowEffort * static_cast<double>(context_.source.row_bytes());
    const double waiting = next * static_cast<double>(worker.count);
    if (worker.effort + waiting > plain) has_given_up_ = true;
}

template <class Collector>
void CascadeSearch<Collector>::push_zeros(Worker& worker) {
    std::size_t pushed = 0;
    for (std::size_t i = 0; i < context_.store.n_zeros; ++i) {
        const std::uint32_t row = context_.store.zeros[i];
        if (!(1.0f <= threshold(worker))) return;
        if (!context_.selection.allows(row)) continue;
        worker.collector.push(context_.selection.match(1.0f, row));
        // Those that follow come after it: same distance, larger key.
        if (++pushed == worker.collector.wanted()) return;
    }
}

template <class Collector>
std::vector<Match> CascadeSearch<Collector>::answer() {
    Worker& whole = workers_[0];
    for (std::size_t w = 0; w < workers_.size(); ++w) finish(w);
    for (std::size_t w = 1; w < workers_.size(); ++w) whole.collector.merge(workers_[w].collector);
    push_zeros(whole);
    return whole.collector.take_sorted();
}

template <class Collector>
SearchCost CascadeSearch<Collector>::take_cost() {
    SearchCost cost;
    for (Worker& worker : workers_) cost.add(worker.cost);
    if (has_given_up()) cost.skipped.clear();  // every row is read after all
    return cost;
}

template class CascadeSearch<NearestCollector>;
template class CascadeSearch<RadiusCollector>;

}  // namespace lookalike::engine
