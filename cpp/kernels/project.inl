// The projection of a query, once for all levels; included INSIDE each level's unnamed namespace
// with `Shorts` defined there:
//
//   Shorts::Sums           int32 sums
//   Shorts::width          int16 values read at once, divides kProjectStep
//   zero()  add(sums, a, b)  total(sums)       a and b point to `width` values
//
// Sums are exact, in any order: by Cauchy and Schwarz no partial sum exceeds |query||row|, which
// the caller keeps below 2^31.
void project(const std::int16_t* query, const std::int16_t* rows, std::size_t count,
             std::size_t width, std::int32_t* out) noexcept {
    constexpr std::size_t kParts = kProjectStep / Shorts::width;
    for (std::size_t r = 0; r < count; ++r, rows += width) {
        Shorts::Sums sums[kParts];
        for (std::size_t p = 0; p < kParts; ++p) sums[p] = Shorts::zero();
        for (std::size_t i = 0; i < width; i += kProjectStep) {
            for (std::size_t p = 0; p < kParts; ++p) {
                const std::size_t at = i + p * Shorts::width;
                Shorts::add(sums[p], query + at, rows + at);
            }
        }
        std::int32_t total = 0;
        for (std::size_t p = 0; p < kParts; ++p) total += Shorts::total(sums[p]);
        out[r] = total;
    }
}
