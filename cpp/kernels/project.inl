// The projection of a query, once for all levels; included INSIDE each level's unnamed namespace
// with `Shorts` defined there:
//
//   Shorts::Sums           int32 sums
//   Shorts::width          int16 values read at once, divides kProjectStep
//   zero()  add(sums, a, b)  total(sums)       a and b point to `width` values
//
// Sums are exact, in any order: by Cauchy and Schwarz no partial sum exceeds |query||row|, which
// the caller keeps below 2^31.
template <std::size_t Rows>
inline void project_some(const std::int16_t* query, const std::int16_t* rows, std::size_t width,
                         std::int32_t* out) noexcept {
    constexpr std::size_t kParts = kProjectStep / Shorts::width;
    Shorts::Sums sums[Rows];
    for (std::size_t r = 0; r < Rows; ++r) sums[r] = Shorts::zero();
    for (std::size_t i = 0; i < width; i += kProjectStep) {
        for (std::size_t p = 0; p < kParts; ++p) {
            const std::size_t at = i + p * Shorts::width;
            for (std::size_t r = 0; r < Rows; ++r) {
                Shorts::add(sums[r], query + at, rows + r * width + at);
            }
        }
    }
    for (std::size_t r = 0; r < Rows; ++r) out[r] = Shorts::total(sums[r]);
}

// Four rows at a time, so that the query is read once for all of them.
void project(const std::int16_t* query, const std::int16_t* rows, std::size_t count,
             std::size_t width, std::int32_t* out) noexcept {
    std::size_t r = 0;
    for (; r + 4 <= count; r += 4) project_some<4>(query, rows + r * width, width, out + r);
    for (; r < count; ++r) project_some<1>(query, rows + r * width, width, out + r);
}
