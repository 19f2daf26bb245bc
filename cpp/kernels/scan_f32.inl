// The scans over float32 rows, once for all levels; included INSIDE each level's unnamed
// namespace with `Lanes` defined there:
//
//   Lanes::Vector          width floats
//   Lanes::width           divides 32
//   Lanes::rows_at_once    how many rows share one load of the query
//   zero() load(p) load_part(p, n) add(a, b) sub(a, b) mul(a, b) abs(a)
//   sum(const Vector (&)[32 / width])   lane i + lane i+16, then +8, +4, +2, +1
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

template <class Term, std::size_t Rows>
struct Accumulators {
    Lanes::Vector first[Rows][kVectors];
    Lanes::Vector second[Rows][kVectors];

    void clear() noexcept {
        for (std::size_t r = 0; r < Rows; ++r) {
            for (std::size_t v = 0; v < kVectors; ++v) {
                first[r][v] = Lanes::zero();
                if constexpr (Term::has_norm) second[r][v] = Lanes::zero();
            }
        }
    }

    void take(std::size_t r, std::size_t v, Lanes::Vector query, Lanes::Vector row) noexcept {
        first[r][v] = Lanes::add(first[r][v], Term::of(query, row));
        if constexpr (Term::has_norm) {
            second[r][v] = Lanes::add(second[r][v], Lanes::mul(row, row));
        }
    }
};

template <class Term, std::size_t Rows>
inline void scan_some_rows(const float* query, const float* rows, std::size_t dim,
                           std::ptrdiff_t row_stride, float* first, float* second) noexcept {
    Accumulators<Term, Rows> sums;
    sums.clear();
    std::size_t i = 0;
    for (; i + kLanes <= dim; i += kLanes) {
        for (std::size_t v = 0; v < kVectors; ++v) {
            const std::size_t at = i + v * Lanes::width;
            const Lanes::Vector part = Lanes::load(query + at);
            for (std::size_t r = 0; r < Rows; ++r) {
                const float* row = rows + static_cast<std::ptrdiff_t>(r) * row_stride;
                sums.take(r, v, part, Lanes::load(row + at));
            }
        }
    }
    for (std::size_t v = 0; v < kVectors && i < dim; ++v, i += Lanes::width) {
        const std::size_t left = dim - i < Lanes::width ? dim - i : Lanes::width;
        const Lanes::Vector part = Lanes::load_part(query + i, left);
        for (std::size_t r = 0; r < Rows; ++r) {
            const float* row = rows + static_cast<std::ptrdiff_t>(r) * row_stride;
            sums.take(r, v, part, Lanes::load_part(row + i, left));
        }
    }
    for (std::size_t r = 0; r < Rows; ++r) {
        first[r] = Lanes::sum(sums.first[r]);
        if constexpr (Term::has_norm) second[r] = Lanes::sum(sums.second[r]);
    }
}

template <class Term>
void scan_f32(const float* query, const float* rows, std::size_t count, std::size_t dim,
              std::ptrdiff_t row_stride, float* first, float* second) noexcept {
    constexpr std::size_t kRows = Lanes::rows_at_once;
    std::size_t r = 0;
    for (; r + kRows <= count; r += kRows) {
        const float* row = rows + static_cast<std::ptrdiff_t>(r) * row_stride;
        scan_some_rows<Term, kRows>(query, row, dim, row_stride, first + r, second + r);
    }
    for (; r < count; ++r) {
        const float* row = rows + static_cast<std::ptrdiff_t>(r) * row_stride;
        scan_some_rows<Term, 1>(query, row, dim, row_stride, first + r, second + r);
    }
}
