#include <algorithm>
#include <atomic>

#include "bad_row.hpp"
#include "scan.hpp"
#include "standard_rounding.hpp"

namespace lookalike::engine {
namespace {

constexpr std::size_t kQueriesAtOnce = 256;
constexpr std::size_t kPieceBytes = 1 << 20;

}  // namespace

Outcome score_all(const Scorer& scorer, Queries queries, const RowSource& source,
                  std::size_t n_threads, const Interrupted& interrupted, float* distances) {
    const StandardRounding rounding;  // also for what is prepared before the loop
    const std::size_t n = source.count(), dim = source.dim();
    const std::size_t row_bytes = dim * sizeof(float);
    const std::size_t small_block = source.block_rows();
    const std::size_t blocks_a_piece =
        queries.count > 1 ? 1 : std::max<std::size_t>(1, kPieceBytes / (small_block * row_bytes));
    const std::size_t piece_rows = small_block * blocks_a_piece;
    // Small blocks stay in cache between conversion and the queries; one query that reads the
    // rows in place has no use for them.
    const std::size_t block_rows =
        queries.count == 1 && source.is_in_place() ? piece_rows : small_block;
    const std::size_t row_pieces = (n + piece_rows - 1) / piece_rows;
    const std::size_t query_pieces = (queries.count + kQueriesAtOnce - 1) / kQueriesAtOnce;
    const double work = static_cast<double>(n * row_bytes) * static_cast<double>(queries.count);
    n_threads = threads_for(work, n_threads);

    std::vector<Query> prepared;
    prepared.reserve(queries.count);
    for (std::size_t q = 0; q < queries.count; ++q) {
        prepared.push_back(scorer.prepare(queries.values + q * dim));
    }
    std::vector<std::vector<float>> buffers(n_threads);
    FirstBadRow bad;
    const auto run_piece = [&](std::size_t piece, std::size_t thread) {
        const std::size_t first_query = piece / row_pieces * kQueriesAtOnce;
        const std::size_t last_query = std::min(first_query + kQueriesAtOnce, queries.count);
        const std::size_t first_row = piece % row_pieces * piece_rows;
        const std::size_t last_row = std::min(first_row + piece_rows, n);
        if (bad.is_before(first_row)) return;
        for (std::size_t start = first_row; start < last_row; start += block_rows) {
            const std::size_t count = std::min(block_rows, last_row - start);
            const Block block = source.block(scorer.table(), start, count, buffers[thread]);
            for (std::size_t q = first_query; q < last_query; ++q) {
                const std::size_t found =
                    scorer.score(prepared[q], block, count, distances + q * n + start);
                if (found < count) bad.report(start + found);
            }
        }
    };
    Outcome outcome;
    outcome.is_complete =
        for_each_piece(row_pieces * query_pieces, n_threads, interrupted, run_piece);
    outcome.bad_row = bad.row();
    outcome.rows_scored = static_cast<std::uint64_t>(n) * queries.count;
    return outcome;
}

}  // namespace lookalike::engine
