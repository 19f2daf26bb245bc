// The scans over codes, once for all levels; included INSIDE each level's unnamed namespace with
// `Codes` defined there:
//
//   Codes::Sums            int32 sums of Codes::rows rows (divides kBlockRows)
//   start(offset)          sums to begin with: -offset where codes are read as code + 128, 0
//                          where they are read as code
//   add(sums, codes, q)    adds to each row's sum its next 4 codes times the 4 bytes at q;
//                          `codes` holds 4 bytes a row
//   plus(sums, sums)  combine(high, low)      128 * high + low
//   line_dot(line, high, low, offset)       of 56 codes, 0 products for the last 8 bytes
//   lines_at_once, fewest_lines, scan_some_lines(query, lines, first, some, limit, kept, n)
//                          scan_lines for `some` survivors, at least the fewest and at most so
//                          many at once; or lines_at_once = 1 and neither
//   find(query, dots, terms, tails, limit, first_row, found, count)
//                          the epilogue of a block: see find_in_block
//   Sad::Sums              sums of Sad::rows rows
//   Sad::zero() add(sums, codes, q) store(sums, int*)     8 bytes a row
//   Sad::line_sum(row, query, bytes)        the last 4 bytes left out
//
// Bounds are computed in float32 in whatever order is fast: their slack (engine/error_bounds.hpp)
// covers any order, and fused operations.

inline float float_at(const std::uint8_t* bytes) noexcept {
    float value;
    __builtin_memcpy(&value, bytes, sizeof value);
    return value;
}

// The rows of a block whose bound is within the limit; a NaN is kept.
[[maybe_unused]] inline std::size_t find_in_block(const CodeQuery& query, const std::int32_t* dots,
                                                  const std::uint8_t* terms, float limit,
                                                  std::uint32_t first_row, Survivors found,
                                                  std::size_t count) noexcept {
    for (std::size_t r = 0; r < kBlockRows; ++r) {
        const float term = float_at(terms + r * sizeof(float));
        const float tail = float_at(terms + (kBlockRows + r) * sizeof(float));
        const float partial =
            query.alpha + query.gamma * term - query.beta * static_cast<float>(dots[r]);
        const float bound = partial + tail * (query.tail_slope + query.tail_curve * tail);
        found.rows[count] = first_row + static_cast<std::uint32_t>(r);
        found.partials[count] = partial;
        found.bounds[count] = bound;
        count += !(bound > limit);
    }
    return count;
}

std::size_t scan_heads(const CodeQuery& query, const std::uint8_t* blocks, std::size_t n_blocks,
                       float limit, std::uint32_t first_row, Survivors found) noexcept {
    constexpr std::size_t kParts = kBlockRows / Codes::rows;
    constexpr std::size_t kChains = 2;  // sums in turn: one would wait for its own last step
    const std::size_t width = query.width;
    std::size_t count = 0;
    for (std::size_t b = 0; b < n_blocks; ++b) {
        Codes::Sums high[kChains][kParts], low[kChains][kParts];
        for (std::size_t p = 0; p < kParts; ++p) {
            for (std::size_t c = 0; c < kChains; ++c) high[c][p] = low[c][p] = Codes::start(0);
            low[0][p] = Codes::start(query.offset);
        }
        const auto step = [&](std::size_t i, std::size_t c) {
            for (std::size_t p = 0; p < kParts; ++p) {
                const std::uint8_t* codes = blocks + i * kBlockRows + (p * Codes::rows) * 4;
                Codes::add(high[c][p], codes, query.high + i);
                Codes::add(low[c][p], codes, query.low + i);
            }
        };
        std::size_t i = 0;
        for (; i + 8 <= width; i += 8) {
            step(i, 0);
            step(i + 4, 1);
        }
        if (i < width) step(i, 0);
        Codes::Sums dots[kParts];
        for (std::size_t p = 0; p < kParts; ++p) {
            dots[p] = Codes::combine(Codes::plus(high[0][p], high[1][p]),
                                     Codes::plus(low[0][p], low[1][p]));
        }
        blocks += kBlockRows * width;
        count = Codes::find(query, dots, blocks, limit, first_row, found, count);
        blocks += 2 * kBlockRows * sizeof(float);
        first_row += kBlockRows;
    }
    return count;
}

// A template, so that levels without scan_some_lines need not have it.
template <class Level>
std::size_t scan_lines_as(const CodeQuery& query, const std::uint8_t* lines, std::size_t count,
                          float limit, Survivors kept) noexcept {
    constexpr std::size_t kAhead = 32;
    const auto line_of = [&](std::size_t i) {
        return lines + std::size_t{kept.rows[i]} * kLineBytes;
    };
    std::size_t i = 0, n = 0;
    if constexpr (Level::lines_at_once > 1) {
        for (; i + Level::lines_at_once <= count; i += Level::lines_at_once) {
            for (std::size_t j = i + kAhead; j < i + kAhead + Level::lines_at_once; ++j) {
                if (j < count) __builtin_prefetch(line_of(j));
            }
            n = Level::scan_some_lines(query, lines, i, Level::lines_at_once, limit, kept, n);
        }
        if (count - i >= Level::fewest_lines) {
            return Level::scan_some_lines(query, lines, i, count - i, limit, kept, n);
        }
    }
    for (; i < count; ++i) {
        if (i + kAhead < count) __builtin_prefetch(line_of(i + kAhead));
        const std::uint32_t row = kept.rows[i];
        const std::uint8_t* line = line_of(i);
        const float dot =
            static_cast<float>(Level::line_dot(line, query.high, query.low, query.offset));
        const float term = float_at(line + kLineCodes);
        const float tail = float_at(line + kLineCodes + sizeof(float));
        const float partial =
            kept.partials[i] + (query.alpha + query.gamma * term - query.beta * dot);
        const float bound = partial + tail * (query.tail_slope + query.tail_curve * tail);
        kept.rows[n] = row;
        kept.partials[n] = partial;
        kept.bounds[n] = bound;
        n += !(bound > limit);
    }
    return n;
}

std::size_t scan_lines(const CodeQuery& query, const std::uint8_t* lines, std::size_t count,
                       float limit, Survivors kept) noexcept {
    return scan_lines_as<Codes>(query, lines, count, limit, kept);
}

std::size_t scan_sad_heads(const SadQuery& query, const std::uint8_t* blocks, std::size_t n_blocks,
                           float limit, std::uint32_t first_row, Survivors found) noexcept {
    constexpr std::size_t kParts = kBlockRows / Codes::Sad::rows;
    std::size_t count = 0;
    for (std::size_t b = 0; b < n_blocks; ++b) {
        Codes::Sad::Sums sums[kParts];
        for (std::size_t p = 0; p < kParts; ++p) sums[p] = Codes::Sad::zero();
        for (std::size_t i = 0; i < query.width; i += 8) {
            for (std::size_t p = 0; p < kParts; ++p) {
                Codes::Sad::add(sums[p], blocks + (p * Codes::Sad::rows) * 8, query.codes + i);
            }
            blocks += kBlockRows * 8;
        }
        std::int32_t sad[kBlockRows];
        for (std::size_t p = 0; p < kParts; ++p) {
            Codes::Sad::store(sums[p], sad + p * Codes::Sad::rows);
        }
        for (std::size_t r = 0; r < kBlockRows; ++r) {
            const float term = float_at(blocks + r * sizeof(float));
            const float bound = query.alpha + term + query.beta * static_cast<float>(sad[r]);
            found.rows[count] = first_row + static_cast<std::uint32_t>(r);
            found.partials[count] = bound;
            found.bounds[count] = bound;
            count += !(bound > limit);
        }
        blocks += kBlockRows * sizeof(float);
        first_row += kBlockRows;
    }
    return count;
}

std::size_t scan_sad_lines(const SadQuery& query, const std::uint8_t* lines, std::size_t count,
                           float limit, Survivors kept) noexcept {
    constexpr std::size_t kAhead = 4;
    std::size_t n = 0;
    for (std::size_t i = 0; i < count; ++i) {
        if (i + kAhead < count) {
            const std::uint8_t* next = lines + std::size_t{kept.rows[i + kAhead]} * query.row_bytes;
            for (std::size_t b = 0; b < query.row_bytes; b += 64) __builtin_prefetch(next + b);
        }
        const std::uint32_t row = kept.rows[i];
        const std::uint8_t* line = lines + std::size_t{row} * query.row_bytes;
        const std::int32_t sad = Codes::Sad::line_sum(line, query.codes, query.row_bytes);
        const float term = float_at(line + query.row_bytes - sizeof(float));
        const float bound = query.alpha + term + query.beta * static_cast<float>(sad);
        kept.rows[n] = row;
        kept.partials[n] = bound;
        kept.bounds[n] = bound;
        n += !(bound > limit);
    }
    return n;
}
