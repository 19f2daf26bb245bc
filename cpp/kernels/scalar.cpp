// The baseline level: plain C++ for any CPU, and the only home of the double kernels.
#include <cfloat>
#include <cstdint>
#include <cstring>

#include "kernel_table.hpp"

#if defined(__AVX2__) || defined(__AVX512F__) || defined(__ARM_FEATURE_SVE) || \
    (defined(__ARM_FEATURE_DOTPROD) && !defined(__APPLE__))  // every 64-bit Arm Mac has it
#error "scalar.cpp was compiled for more than the baseline"
#endif

namespace lookalike::kernels {
namespace {

template <class Element>
struct ArrayLanes {
    struct Vector {
        Element lane[32];
    };
    using Folded = Element;
    static constexpr std::size_t width = 32;
    static constexpr std::size_t rows_summed_at_once = 1;
    static void keep(Vector&) noexcept {}
    static Folded fold(const Vector (&parts)[1]) noexcept { return sum(parts); }
    static void sum_rows(const Folded (&row)[1], float* sums) noexcept { *sums = row[0]; }

    static Vector zero() noexcept { return Vector{}; }
    static Vector load(const float* source) noexcept {
        Vector loaded;
        for (std::size_t i = 0; i < width; ++i) loaded.lane[i] = source[i];
        return loaded;
    }
    static Vector load_part(const float* source, std::size_t count) noexcept {
        Vector loaded{};
        for (std::size_t i = 0; i < count; ++i) loaded.lane[i] = source[i];
        return loaded;
    }
    static Vector add(Vector a, const Vector& b) noexcept {
        for (std::size_t i = 0; i < width; ++i) a.lane[i] += b.lane[i];
        return a;
    }
    static Vector sub(Vector a, const Vector& b) noexcept {
        for (std::size_t i = 0; i < width; ++i) a.lane[i] -= b.lane[i];
        return a;
    }
    static Vector mul(Vector a, const Vector& b) noexcept {
        for (std::size_t i = 0; i < width; ++i) a.lane[i] *= b.lane[i];
        return a;
    }
    static Vector abs(Vector a) noexcept {
        for (std::size_t i = 0; i < width; ++i) a.lane[i] = a.lane[i] < 0 ? -a.lane[i] : a.lane[i];
        return a;
    }
    static Element sum(const Vector (&parts)[1]) noexcept {
        Vector total = parts[0];
        for (std::size_t half = width / 2; half > 0; half /= 2) {
            for (std::size_t i = 0; i < half; ++i) total.lane[i] += total.lane[i + half];
        }
        return total.lane[0];
    }

    static float from_half(std::uint16_t half) noexcept {
        const std::uint32_t sign = static_cast<std::uint32_t>(half & 0x8000u) << 16;
        const std::uint32_t exponent = (half >> 10) & 0x1fu;
        const std::uint32_t fraction = half & 0x3ffu;
        if (exponent == 0) {  // zero and subnormals: fraction * 2^-24, exact in float32
            const float magnitude = static_cast<float>(fraction) * 0x1p-24f;
            return sign ? -magnitude : magnitude;
        }
        const std::uint32_t wide = exponent == 31 ? 255u : exponent + 112u;
        const std::uint32_t bits = sign | (wide << 23) | (fraction << 13);
        float value;
        std::memcpy(&value, &bits, sizeof value);
        return value;
    }
    static void half_to_float(const std::uint16_t* source, std::size_t count,
                              float* target) noexcept {
        for (std::size_t i = 0; i < count; ++i) target[i] = from_half(source[i]);
    }
};

using Lanes = ArrayLanes<float>;

struct Panel {
    struct Vector {
        float lane[8];
    };
    static constexpr std::size_t width = 8;
    static constexpr std::size_t rows = 8;
    static constexpr std::size_t queries_at_once = 4;

    static Vector zero() noexcept { return Vector{}; }
    static Vector load(const float* source) noexcept {
        Vector loaded;
        for (std::size_t i = 0; i < width; ++i) loaded.lane[i] = source[i];
        return loaded;
    }
    static void store(float* target, const Vector& a) noexcept {
        for (std::size_t i = 0; i < width; ++i) target[i] = a.lane[i];
    }
    static Vector broadcast(const float* source) noexcept {
        Vector filled;
        for (std::size_t i = 0; i < width; ++i) filled.lane[i] = *source;
        return filled;
    }
    static Vector fma(const Vector& a, const Vector& b, Vector c) noexcept {
        for (std::size_t i = 0; i < width; ++i) c.lane[i] += a.lane[i] * b.lane[i];
        return c;
    }
    static void transpose_8x8(const float* source, std::ptrdiff_t row_stride,
                              float* target) noexcept {
        for (std::size_t i = 0; i < 8; ++i) {
            for (std::size_t j = 0; j < 8; ++j) {
                target[i * rows + j] = source[static_cast<std::ptrdiff_t>(j) * row_stride +
                                              static_cast<std::ptrdiff_t>(i)];
            }
        }
    }
};

struct Codes {
    struct Sums {
        std::int32_t lane[16];
    };
    static constexpr std::size_t rows = 16;

    static Sums start(int) noexcept { return Sums{}; }
    static std::int32_t code(std::uint8_t stored) noexcept {
        return static_cast<std::int32_t>(stored) - 128;
    }
    static void add(Sums& sums, const std::uint8_t* codes, const std::int8_t* query) noexcept {
        for (std::size_t r = 0; r < rows; ++r) {
            for (std::size_t i = 0; i < 4; ++i) {
                sums.lane[r] += code(codes[r * 4 + i]) * query[i];
            }
        }
    }
    static Sums plus(Sums a, const Sums& b) noexcept {
        for (std::size_t r = 0; r < rows; ++r) a.lane[r] += b.lane[r];
        return a;
    }
    static Sums combine(Sums high, const Sums& low) noexcept {
        for (std::size_t r = 0; r < rows; ++r) high.lane[r] = 128 * high.lane[r] + low.lane[r];
        return high;
    }
    static std::size_t find(const CodeQuery& query, const Sums (&dots)[1],
                            const std::uint8_t* terms, float limit, std::uint32_t first_row,
                            Survivors found, std::size_t count) noexcept;
    static std::int32_t line_dot(const std::uint8_t* line, const std::int8_t* high,
                                 const std::int8_t* low, int) noexcept {
        std::int32_t highs = 0, lows = 0;
        for (std::size_t i = 0; i < kLineCodes; ++i) {
            highs += code(line[i]) * high[i];
            lows += code(line[i]) * low[i];
        }
        return 128 * highs + lows;
    }

    static constexpr std::size_t lines_at_once = 1;

    struct Sad {
        struct Sums {
            std::int32_t lane[16];
        };
        static constexpr std::size_t rows = 16;
        static std::int32_t difference(std::uint8_t a, std::uint8_t b) noexcept {
            return a < b ? b - a : a - b;
        }
        static Sums zero() noexcept { return Sums{}; }
        static void add(Sums& sums, const std::uint8_t* codes, const std::uint8_t* query) noexcept {
            for (std::size_t r = 0; r < rows; ++r) {
                for (std::size_t i = 0; i < 8; ++i) {
                    sums.lane[r] += difference(codes[r * 8 + i], query[i]);
                }
            }
        }
        static void store(const Sums& sums, std::int32_t* out) noexcept {
            for (std::size_t r = 0; r < rows; ++r) out[r] = sums.lane[r];
        }
        static std::int32_t line_sum(const std::uint8_t* row, const std::uint8_t* query,
                                     std::size_t bytes) noexcept {
            std::int32_t sum = 0;
            for (std::size_t i = 0; i + sizeof(float) < bytes; ++i) {
                sum += difference(row[i], query[i]);
            }
            return sum;
        }
    };
};

struct Shorts {
    struct Sums {
        std::int32_t lane[16];
    };
    static constexpr std::size_t width = 16;
    static Sums zero() noexcept { return Sums{}; }
    static void add(Sums& sums, const std::int16_t* a, const std::int16_t* b) noexcept {
        for (std::size_t i = 0; i < width; ++i) sums.lane[i] += std::int32_t{a[i]} * b[i];
    }
    static std::int32_t total(const Sums& sums) noexcept {
        std::int32_t total = 0;
        for (const std::int32_t lane : sums.lane) total += lane;
        return total;
    }
};

#include "codes.inl"

std::size_t Codes::find(const CodeQuery& query, const Sums (&dots)[1], const std::uint8_t* terms,
                        float limit, std::uint32_t first_row, Survivors found,
                        std::size_t count) noexcept {
    return find_in_block(query, dots[0].lane, terms, limit, first_row, found, count);
}

#include "convert.inl"
#include "finish.inl"
#include "panel.inl"
#include "project.inl"
#include "scan_f32.inl"

// The double kernels: the same virtual lanes, for the rare rows that float32 cannot carry.
// float32 products are exact in double, and neither they nor their sums can overflow.
using Lanes64 = ArrayLanes<double>;

enum class Term64 { kDot, kDotNorm, kSqeuclidean, kManhattan };

template <Term64 term>
void scan_f64(const float* query, const float* row, std::size_t dim, double* first,
              double* second) noexcept {
    Lanes64::Vector sums[1] = {Lanes64::zero()}, norms[1] = {Lanes64::zero()};
    for (std::size_t i = 0; i < dim; i += kLanes) {
        const std::size_t left = dim - i < kLanes ? dim - i : kLanes;
        const Lanes64::Vector q = Lanes64::load_part(query + i, left);
        const Lanes64::Vector x = Lanes64::load_part(row + i, left);
        if constexpr (term == Term64::kDot || term == Term64::kDotNorm) {
            sums[0] = Lanes64::add(sums[0], Lanes64::mul(q, x));
        } else {
            const Lanes64::Vector difference = Lanes64::sub(q, x);
            sums[0] = Lanes64::add(sums[0], term == Term64::kManhattan
                                                ? Lanes64::abs(difference)
                                                : Lanes64::mul(difference, difference));
        }
        if constexpr (term == Term64::kDotNorm) {
            norms[0] = Lanes64::add(norms[0], Lanes64::mul(x, x));
        }
    }
    *first = Lanes64::sum(sums);
    if constexpr (term == Term64::kDotNorm) *second = Lanes64::sum(norms);
}

}  // namespace

extern const KernelTable kScalarTable;
const KernelTable kScalarTable{"scalar",
                               0,
                               &scan_f32<DotTerm>,
                               &scan_f32<DotNormTerm>,
                               &scan_f32<SqeuclideanTerm>,
                               &scan_f32<ManhattanTerm>,
                               &scan_f64<Term64::kDot>,
                               &scan_f64<Term64::kDotNorm>,
                               &scan_f64<Term64::kSqeuclidean>,
                               &scan_f64<Term64::kManhattan>,
                               &finish_cosine,
                               &finish_euclidean,
                               &finish_sqeuclidean,
                               &finish_manhattan,
                               &finish_inner_product,
                               LOOKALIKE_CONVERTERS,
                               Panel::rows,
                               &pack_panel,
                               &panel_products,
                               &find_candidates,
                               &scan_heads,
                               &scan_lines,
                               &scan_sad_heads,
                               &scan_sad_lines,
                               &project};

}  // namespace lookalike::kernels
