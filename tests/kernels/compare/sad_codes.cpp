// The scans over codes by sums of absolute differences.
#include "survivors.hpp"

namespace lookalike::compare {
namespace {

struct SadRow {
    std::vector<std::uint8_t> codes;
    float term, tail = 0.0f;

    SadRow(std::size_t size, Random& random) : codes(size), term(random.unit()) {
        const std::uint8_t ends[] = {0, 255};
        const bool is_extreme = random.below(2);
        for (std::uint8_t& code : codes) {
            code = is_extreme ? random.one_of(ends) : static_cast<std::uint8_t>(random.bits());
        }
    }
    Expected expected(const kernels::SadQuery& query, std::uint32_t row, bool is_exact) const {
        int sum = 0;
        for (std::size_t i = 0; i < codes.size(); ++i) sum += std::abs(query.codes[i] - codes[i]);
        const double weighed = double{query.beta} * sum;
        const double bound = double{query.alpha} + double{term} + weighed;
        const double magnitude =
            std::fabs(double{query.alpha}) + std::fabs(double{term}) + std::fabs(weighed);
        const double slack = is_exact ? 0.0 : kRoundings * magnitude;
        return {row, bound, bound, slack, slack};
    }
};

struct SadCodes {
    Guarded<std::uint8_t> codes;
    kernels::SadQuery query{};

    SadCodes(std::size_t width, std::size_t row_bytes, Random& random) : codes(row_bytes) {
        const std::uint8_t ends[] = {0, 255};
        const bool is_extreme = random.below(2);
        for (std::size_t i = 0; i < width; ++i) {
            codes[i] = is_extreme ? random.one_of(ends) : static_cast<std::uint8_t>(random.bits());
        }
        query = {codes.data(), width, row_bytes, 0.0f, 1.0f};
    }
};

void compare_sad_heads(const kernels::KernelTable& level, const std::vector<SadRow>& rows,
                       const kernels::SadQuery& query, bool is_exact, Report& report) {
    const std::size_t width = query.width, bytes = kBlockRows * (width + 4);
    Guarded<std::uint8_t> blocks(rows.size() / kBlockRows * bytes);
    std::vector<Expected> expected;
    for (std::size_t r = 0; r < rows.size(); ++r) {
        std::uint8_t* block = blocks.data() + r / kBlockRows * bytes;
        const std::size_t in_block = r % kBlockRows;
        for (std::size_t i = 0; i < width; ++i) {
            block[(i / 8 * kBlockRows + in_block) * 8 + i % 8] = rows[r].codes[i];
        }
        put(block + kBlockRows * width + in_block * 4, rows[r].term);
        expected.push_back(
            rows[r].expected(query, kFirstRow + static_cast<std::uint32_t>(r), is_exact));
    }
    for (const float limit : limits_for(expected)) {
        report.about("scan_sad_heads, width %zu, limit %g", width, double{limit});
        Found found(rows.size());
        const std::size_t count = level.scan_sad_heads(
            query, blocks.data(), rows.size() / kBlockRows, limit, kFirstRow, found.survivors());
        check_found(expected, limit, count, found, report);
    }
}

void compare_sad_lines(const kernels::KernelTable& level, const std::vector<SadRow>& rows,
                       const kernels::SadQuery& query, bool is_exact, std::size_t every,
                       Report& report) {
    Guarded<std::uint8_t> lines(rows.size() * query.row_bytes);
    std::vector<Expected> expected;
    for (std::size_t r = 0; r < rows.size(); ++r) {
        std::uint8_t* line = lines.data() + r * query.row_bytes;
        std::copy(rows[r].codes.begin(), rows[r].codes.end(), line);
        put(line + query.row_bytes - 4, rows[r].term);
        if (r % every == 0) {
            expected.push_back(rows[r].expected(query, static_cast<std::uint32_t>(r), is_exact));
        }
    }
    for (const float limit : limits_for(expected)) {
        report.about("scan_sad_lines, %zu bytes, limit %g", query.row_bytes, double{limit});
        Found kept(expected.size());
        for (std::size_t i = 0; i < expected.size(); ++i) kept.rows[i] = expected[i].row;
        const std::size_t count =
            level.scan_sad_lines(query, lines.data(), expected.size(), limit, kept.survivors());
        check_found(expected, limit, count, kept, report);
    }
}

}  // namespace

void compare_sad_codes(const kernels::KernelTable& level, Report& report) {
    Random random;
    for (const std::size_t width :
         {8, 16, 24, 56, 64, 120, 128, 256, 512, 768, 1024, 1536, 2048, 4096}) {
        const std::size_t row_bytes = (width + 4 + 63) / 64 * 64;
        for (int round = 0; round < 6; ++round) {
            SadCodes coded(width, row_bytes, random);
            std::vector<SadRow> heads, lines;
            const std::size_t n_heads = kBlockRows * random.below(4), n_lines = random.below(25);
            for (std::size_t r = 0; r < n_heads; ++r) heads.emplace_back(width, random);
            for (std::size_t r = 0; r < n_lines; ++r) lines.emplace_back(row_bytes - 4, random);
            std::vector<SadRow> whole_heads = heads, whole_lines = lines;
            for (SadRow& row : whole_heads) row.term = 1.0f;
            for (SadRow& row : whole_lines) row.term = 1.0f;
            const std::size_t every = 1 + random.below(3);
            compare_sad_heads(level, whole_heads, coded.query, true, report);
            compare_sad_lines(level, whole_lines, coded.query, true, every, report);
            coded.query.alpha = random.unit();
            coded.query.beta = random.unit() * 0x1p-10f;
            spoil_some(heads, random);
            spoil_some(lines, random);
            compare_sad_heads(level, heads, coded.query, false, report);
            compare_sad_lines(level, lines, coded.query, false, every, report);
        }
    }
}

}  // namespace lookalike::compare
