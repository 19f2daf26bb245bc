// The scans over float32 rows, once for all levels; included INSIDE each level's unnamed
// namespace with `Lanes` defined there:
//
//   Lanes::Vector          width floats
//   Lanes::width           divides 32
//   Lanes::Folded          what is left of a row's 32 lanes to be summed with other rows'
//   Lanes::rows_summed_at_once
//   zero() load(p) load_part(p, n) add(a, b) sub(a, b) mul(a, b) abs(a)
//   keep(a)                has it in a register from here on
//   sum(const Vector (&)[32 / width])     lane i + lane i+16, then +8, +4, +2, +1
//   fold(const Vector (&)[32 / width])    the first steps of that
//   sum_rows(const Folded (&)[rows_summed_at_once], out)    the rest, for so many rows
//
// Element i always lands in virtual lane i mod 32, products are rounded before they are
// added, and the reduction tree is fixed: every level returns the same bits.

constexpr std::size_t kLanes = 32;
constexpr std::size_t kVectors = kLanes / Lanes::width;

struct DotTerm {
    static constexpr bool has_norm = false;
    static Lanes::Vector of(Lanes::Vector query, Lanes::Vector row) noexcept {
        return Lanes::mul(query, row);
    }
};

struct DotNormTerm : DotTerm {
    static constexpr bool has_norm = true;
};

struct SqeuclideanTerm {
    static constexpr bool has_norm = false;
    static Lanes::Vector of(Lanes::Vector query, Lanes::Vector row) noexcept {
        const Lanes::Vector difference = Lanes::sub(query, row);
        return Lanes::mul(difference, difference);
    }
};

struct ManhattanTerm {
    static constexpr bool has_norm = false;
    static Lanes::Vector of(Lanes::Vector query, Lanes::Vector row) noexcept {
        return Lanes::abs(Lanes::sub(query, row));
    }
};

template <class Term>
struct RowSums {
    Lanes::Vector first[kVectors];
    Lanes::Vector second[kVectors];

    void take(std::size_t v, Lanes::Vector query, Lanes::Vector row) noexcept {
        if constexpr (Term::has_norm) Lanes::keep(row);  // else GCC loads it twice
        first[v] = Lanes::add(first[v], Term::of(query, row));
        if constexpr (Term::has_norm) second[v] = Lanes::add(second[v], Lanes::mul(row, row));
    }
};

template <class Term>
inline RowSums<Term> scan_row(const float* query, const float* row, std::size_t dim) noexcept {
    RowSums<Term> sums;
    for (std::size_t v = 0; v < kVectors; ++v) {
        sums.first[v] = Lanes::zero();
        if constexpr (Term::has_norm) sums.second[v] = Lanes::zero();
    }
    std::size_t i = 0;
    for (; i + kLanes <= dim; i += kLanes) {
        for (std::size_t v = 0; v < kVectors; ++v) {
            const std::size_t at = i + v * Lanes::width;
            sums.take(v, Lanes::load(query + at), Lanes::load(row + at));
        }
    }
#pragma GCC unroll 8  // else the sums of 8 vectors are kept in memory as well
    for (std::size_t v = 0; v < kVectors; ++v) {
        const std::size_t at = i + v * Lanes::width;
        if (at >= dim) break;
        const std::size_t left = dim - at < Lanes::width ? dim - at : Lanes::width;
        sums.take(v, Lanes::load_part(query + at, left), Lanes::load_part(row + at, left));
    }
    return sums;
}

// Row after row, never several side by side: interleaved rows halve what the prefetchers of
// current CPUs deliver from memory. Only the last steps of the sums are shared.
template <class Term>
void scan_f32(const float* query, const float* rows, std::size_t count, std::size_t dim,
              std::ptrdiff_t row_stride, float* first, float* second) noexcept {
    constexpr std::size_t kGroup = Lanes::rows_summed_at_once;
    std::size_t r = 0;
    for (; r + kGroup <= count; r += kGroup) {
        Lanes::Folded firsts[kGroup], seconds[kGroup];
        for (std::size_t j = 0; j < kGroup; ++j) {
            const float* row = rows + static_cast<std::ptrdiff_t>(r + j) * row_stride;
            const RowSums<Term> sums = scan_row<Term>(query, row, dim);
            firsts[j] = Lanes::fold(sums.first);
            if constexpr (Term::has_norm) seconds[j] = Lanes::fold(sums.second);
        }
        Lanes::sum_rows(firsts, first + r);
        if constexpr (Term::has_norm) Lanes::sum_rows(seconds, second + r);
    }
    for (; r < count; ++r) {
        const float* row = rows + static_cast<std::ptrdiff_t>(r) * row_stride;
        const RowSums<Term> sums = scan_row<Term>(query, row, dim);
        first[r] = Lanes::sum(sums.first);
        if constexpr (Term::has_norm) second[r] = Lanes::sum(sums.second);
    }
}
