// The scans over codes: exact sums of products, and bounds within the rounding of any order.
#include "survivors.hpp"

namespace lookalike::compare {
namespace {

using kernels::kLineBytes;
using kernels::kLineCodes;

enum class Pattern { kRandom, kExtreme, kMirrored };
constexpr Pattern kPatterns[] = {Pattern::kRandom, Pattern::kExtreme, Pattern::kMirrored};

std::uint8_t stored_code(Pattern pattern, Random& random) {
    const std::uint8_t extremes[] = {0, 1, 255, 1, 255, 127, 128, 129};
    return pattern == Pattern::kRandom ? static_cast<std::uint8_t>(random.between(1, 255))
                                       : random.one_of(extremes);
}

struct CodedQuery {
    Guarded<std::int8_t> high, low;
    kernels::CodeQuery query{};

    // `size` bytes of which those past `width` are zero.
    CodedQuery(std::size_t width, std::size_t size, Pattern pattern, Random& random)
        : high(size), low(size) {
        const std::int8_t highs[] = {-63, 63, 63, 0}, lows[] = {-64, -64, 63, 0};
        for (std::size_t i = 0; i < size; ++i) {
            const bool is_random = pattern == Pattern::kRandom;
            high[i] = is_random ? static_cast<std::int8_t>(random.between(-63, 63))
                                : random.one_of(highs);
            low[i] =
                is_random ? static_cast<std::int8_t>(random.between(-64, 63)) : random.one_of(lows);
        }
        // The second half as the first: against codes of opposite sign, large sums cancel.
        for (std::size_t i = width / 2; i < size; ++i) {
            if (pattern == Pattern::kMirrored) high[i] = high[i - width / 2];
            if (pattern == Pattern::kMirrored) low[i] = low[i - width / 2];
            if (i >= width) high[i] = low[i] = 0;
        }
        int sum = 0;
        for (std::size_t i = 0; i < width; ++i) sum += 128 * high[i] + low[i];
        query = {high.data(), low.data(), width, 0, 0, 0, 0, 0, 128 * sum};
    }
    void show_dots() {
        query.alpha = query.gamma = query.tail_slope = query.tail_curve = 0.0f;
        query.beta = -1.0f;
    }
    void weigh(Random& random) {
        query.alpha = random.unit();
        query.beta = random.unit() * 0x1p-24f;
        query.gamma = random.unit();
        query.tail_slope = random.unit();
        query.tail_curve = random.unit();
    }
};

struct CodedRow {
    std::vector<std::uint8_t> codes;
    float term, tail;

    CodedRow(std::size_t width, Pattern pattern, Random& random)
        : codes(width), term(random.unit()), tail(random.unit()) {
        for (std::uint8_t& code : codes) code = stored_code(pattern, random);
        for (std::size_t i = 0; i < width / 2 && pattern == Pattern::kMirrored; ++i) {
            // All but a few, so that what is left is seen to the last bit.
            codes[i] = std::max<std::uint8_t>(codes[i], 1);
            if (random.below(16)) codes[width / 2 + i] = static_cast<std::uint8_t>(256 - codes[i]);
        }
    }

    Expected expected(const kernels::CodeQuery& query, std::uint32_t row, double before) const {
        std::int64_t dot = 0;
        for (std::size_t i = 0; i < codes.size(); ++i) {
            dot += (128 * query.high[i] + query.low[i]) * (int{codes[i]} - 128);
        }
        const double d = double{static_cast<float>(dot)};  // the one rounding of an exact sum
        const double own = double{query.alpha} + double{query.gamma} * term;
        const double partial = before + (own - double{query.beta} * d);
        const double slope = double{query.tail_slope} + double{query.tail_curve} * tail;
        if (query.gamma == 0.0f) return {row, partial, partial, 0.0, 0.0};
        const double magnitude = std::fabs(before) + std::fabs(double{query.alpha}) +
                                 std::fabs(double{query.gamma} * term) +
                                 std::fabs(double{query.beta} * d);
        const double more = std::fabs(double{tail}) * (std::fabs(double{query.tail_slope}) +
                                                       std::fabs(double{query.tail_curve} * tail));
        return {row, partial, partial + tail * slope, kRoundings * magnitude,
                kRoundings * (magnitude + more)};
    }
};

void compare_heads(const kernels::KernelTable& level, const std::vector<CodedRow>& rows,
                   const kernels::CodeQuery& query, Report& report) {
    const std::size_t width = query.width, bytes = kBlockRows * (width + 8);
    Guarded<std::uint8_t> blocks(rows.size() / kBlockRows * bytes);
    std::vector<Expected> expected;
    for (std::size_t r = 0; r < rows.size(); ++r) {
        std::uint8_t* block = blocks.data() + r / kBlockRows * bytes;
        const std::size_t in_block = r % kBlockRows;
        for (std::size_t i = 0; i < width; ++i) {
            block[(i / 4 * kBlockRows + in_block) * 4 + i % 4] = rows[r].codes[i];
        }
        put(block + kBlockRows * width + in_block * 4, rows[r].term);
        put(block + kBlockRows * (width + 4) + in_block * 4, rows[r].tail);
        expected.push_back(rows[r].expected(query, kFirstRow + static_cast<std::uint32_t>(r), 0.0));
    }
    for (const float limit : limits_for(expected)) {
        report.about("scan_heads, width %zu, limit %g", width, double{limit});
        Found found(rows.size());
        const std::size_t count = level.scan_heads(query, blocks.data(), rows.size() / kBlockRows,
                                                   limit, kFirstRow, found.survivors());
        check_found(expected, limit, count, found, report);
    }
}

void compare_lines(const kernels::KernelTable& level, const std::vector<CodedRow>& rows,
                   const kernels::CodeQuery& query, std::size_t every, Random& random,
                   Report& report) {
    Guarded<std::uint8_t> lines(rows.size() * kLineBytes);
    std::vector<Expected> expected;
    std::vector<float> before;
    for (std::size_t r = 0; r < rows.size(); ++r) {
        std::uint8_t* line = lines.data() + r * kLineBytes;
        std::copy(rows[r].codes.begin(), rows[r].codes.end(), line);
        put(line + kLineCodes, rows[r].term);
        put(line + kLineCodes + 4, rows[r].tail);
        if (r % every) continue;
        // A whole number where the dots are to be seen exactly.
        before.push_back(query.gamma == 0.0f ? static_cast<float>(random.between(-9, 9))
                                             : random.unit());
        expected.push_back(
            rows[r].expected(query, static_cast<std::uint32_t>(r), double{before.back()}));
    }
    for (const float limit : limits_for(expected)) {
        report.about("scan_lines, %zu of them, limit %g", expected.size(), double{limit});
        Found kept(expected.size());
        for (std::size_t i = 0; i < expected.size(); ++i) {
            kept.rows[i] = expected[i].row;
            kept.partials[i] = before[i];
        }
        const std::size_t count =
            level.scan_lines(query, lines.data(), expected.size(), limit, kept.survivors());
        check_found(expected, limit, count, kept, report);
    }
}

}  // namespace

void compare_codes(const kernels::KernelTable& level, Report& report) {
    Random random;
    for (const std::size_t width : {4,   8,   12,  16,  20,  28,  32,   56,   60,   64,   100, 128,
                                    252, 256, 508, 512, 764, 768, 1020, 1024, 1536, 2044, 2048}) {
        for (const Pattern pattern : kPatterns) {
            CodedQuery coded(width, width, pattern, random);
            std::vector<CodedRow> rows;
            const std::size_t n_rows = kBlockRows * random.below(4);
            for (std::size_t r = 0; r < n_rows; ++r) rows.emplace_back(width, pattern, random);
            coded.show_dots();
            compare_heads(level, rows, coded.query, report);
            coded.weigh(random);
            compare_heads(level, rows, coded.query, report);
            spoil_some(rows, random);
            compare_heads(level, rows, coded.query, report);
        }
    }
    for (std::size_t count = 0; count <= 40; ++count) {
        for (const Pattern pattern : kPatterns) {
            CodedQuery coded(kLineCodes, kLineBytes, pattern, random);
            std::vector<CodedRow> rows;
            for (std::size_t r = 0; r < count; ++r) {
                rows.emplace_back(kLineCodes, pattern, random);
            }
            const std::size_t every = 1 + count % 3;
            coded.show_dots();
            compare_lines(level, rows, coded.query, every, random, report);
            coded.weigh(random);
            compare_lines(level, rows, coded.query, every, random, report);
            spoil_some(rows, random);
            compare_lines(level, rows, coded.query, every, random, report);
        }
    }
}

}  // namespace lookalike::compare
