// The AVX2 level: compiled with -mavx2 -mfma -mf16c and nothing else.
#include <immintrin.h>

#include <cfloat>
#include <cstdint>

#include "kernel_table.hpp"

#if !defined(__AVX2__) || !defined(__FMA__) || !defined(__F16C__)
#error "avx2.cpp must be compiled with -mavx2 -mfma -mf16c"
#endif
#if defined(__AVX512F__)
#error "avx2.cpp was compiled for more than its table declares"
#endif

namespace lookalike::kernels {
namespace {

struct Lanes {
    using Vector = __m256;
    using Folded = Vector;
    static constexpr std::size_t width = 8;
    static constexpr std::size_t rows_summed_at_once = 8;

    static Vector zero() noexcept { return _mm256_setzero_ps(); }
    static Vector load(const float* source) noexcept { return _mm256_loadu_ps(source); }
    static Vector load_part(const float* source, std::size_t count) noexcept {
        const __m256i index = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
        const __m256i wanted = _mm256_set1_epi32(static_cast<int>(count));
        return _mm256_maskload_ps(source, _mm256_cmpgt_epi32(wanted, index));
    }
    static Vector add(Vector a, Vector b) noexcept { return _mm256_add_ps(a, b); }
    static Vector sub(Vector a, Vector b) noexcept { return _mm256_sub_ps(a, b); }
    static Vector mul(Vector a, Vector b) noexcept { return _mm256_mul_ps(a, b); }
    static Vector abs(Vector a) noexcept { return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), a); }
    static void keep(Vector& a) noexcept { __asm__("" : "+x"(a)); }
    static Vector fold(const Vector (&parts)[4]) noexcept {
        return _mm256_add_ps(_mm256_add_ps(parts[0], parts[2]), _mm256_add_ps(parts[1], parts[3]));
    }
    static float sum(const Vector (&parts)[4]) noexcept {
        const __m256 eight = fold(parts);
        const __m128 four =
            _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
        const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
        return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
    }
    // Each step adds the halves of two rows' lanes at once, so that nothing is added to itself;
    // the rows end in the order that the last permutation undoes.
    static void sum_rows(const Vector (&row)[8], float* sums) noexcept {
        __m256 four[4], two[2];
        for (int j = 0; j < 4; ++j) {
            const __m256 a = row[2 * j], b = row[2 * j + 1];
            four[j] = _mm256_add_ps(_mm256_permute2f128_ps(a, b, 0x20),
                                    _mm256_permute2f128_ps(a, b, 0x31));
        }
        for (int j = 0; j < 2; ++j) {
            const __m256 a = four[2 * j], b = four[2 * j + 1];
            two[j] = _mm256_add_ps(_mm256_shuffle_ps(a, b, 0x44), _mm256_shuffle_ps(a, b, 0xee));
        }
        const __m256 one = _mm256_add_ps(_mm256_shuffle_ps(two[0], two[1], 0x88),
                                         _mm256_shuffle_ps(two[0], two[1], 0xdd));
        const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
        _mm256_storeu_ps(sums, _mm256_permutevar8x32_ps(one, order));
    }
    static void half_to_float(const std::uint16_t* source, std::size_t count,
                              float* target) noexcept {
        std::size_t i = 0;
        for (; i + 8 <= count; i += 8) {
            const __m128i halves = _mm_loadu_si128(reinterpret_cast<const __m128i*>(source + i));
            _mm256_storeu_ps(target + i, _mm256_cvtph_ps(halves));
        }
        for (; i < count; ++i) target[i] = _cvtsh_ss(source[i]);
    }
};

struct Panel {
    using Vector = __m256;
    static constexpr std::size_t width = 8;
    static constexpr std::size_t rows = 16;
    static constexpr std::size_t queries_at_once = 6;

    static Vector zero() noexcept { return _mm256_setzero_ps(); }
    static Vector load(const float* source) noexcept { return _mm256_loadu_ps(source); }
    static void store(float* target, Vector a) noexcept { _mm256_storeu_ps(target, a); }
    static Vector broadcast(const float* source) noexcept { return _mm256_broadcast_ss(source); }
    static Vector fma(Vector a, Vector b, Vector c) noexcept { return _mm256_fmadd_ps(a, b, c); }
#include "transpose_avx.inl"
};

struct Codes {
    using Sums = __m256i;
    static constexpr std::size_t rows = 8;

    static Sums start(int offset) noexcept { return _mm256_set1_epi32(-offset); }
    // A pair's sum fits 16 bits: codes + 128 are at most 255, query bytes within 64 of zero.
    static Sums multiply_add(Sums sums, __m256i codes, __m256i query) noexcept {
        const __m256i pairs = _mm256_maddubs_epi16(codes, query);
        return _mm256_add_epi32(sums, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
    }
    static __m256i load(const void* source) noexcept {
        return _mm256_loadu_si256(static_cast<const __m256i*>(source));
    }
    static void add(Sums& sums, const std::uint8_t* codes, const std::int8_t* query) noexcept {
        std::int32_t four;
        __builtin_memcpy(&four, query, sizeof four);
        sums = multiply_add(sums, load(codes), _mm256_set1_epi32(four));
    }
    static Sums plus(Sums a, Sums b) noexcept { return _mm256_add_epi32(a, b); }
    static Sums combine(Sums high, Sums low) noexcept {
        return _mm256_add_epi32(_mm256_slli_epi32(high, 7), low);
    }
    static std::size_t find(const CodeQuery& query, const Sums (&dots)[2],
                            const std::uint8_t* terms, float limit, std::uint32_t first_row,
                            Survivors found, std::size_t count) noexcept {
        for (std::size_t p = 0; p < 2; ++p) {
            const float* term = reinterpret_cast<const float*>(terms) + p * rows;
            const __m256 tail = _mm256_loadu_ps(term + kBlockRows);
            const __m256 partial =
                _mm256_fnmadd_ps(_mm256_set1_ps(query.beta), _mm256_cvtepi32_ps(dots[p]),
                                 _mm256_fmadd_ps(_mm256_set1_ps(query.gamma), _mm256_loadu_ps(term),
                                                 _mm256_set1_ps(query.alpha)));
            const __m256 bound =
                _mm256_fmadd_ps(tail,
                                _mm256_fmadd_ps(_mm256_set1_ps(query.tail_curve), tail,
                                                _mm256_set1_ps(query.tail_slope)),
                                partial);
            const __m256 kept = _mm256_cmp_ps(bound, _mm256_set1_ps(limit), _CMP_NGT_UQ);
            unsigned mask = static_cast<unsigned>(_mm256_movemask_ps(kept));
            if (!mask) continue;
            float partials[rows], bounds[rows];
            _mm256_storeu_ps(partials, partial);
            _mm256_storeu_ps(bounds, bound);
            for (; mask; mask &= mask - 1) {
                const unsigned r = static_cast<unsigned>(__builtin_ctz(mask));
                found.rows[count] = first_row + static_cast<std::uint32_t>(p * rows) + r;
                found.partials[count] = partials[r];
                found.bounds[count] = bounds[r];
                ++count;
            }
        }
        return count;
    }
    static std::int32_t sum(__m256i eight) noexcept {
        const __m128i four =
            _mm_add_epi32(_mm256_castsi256_si128(eight), _mm256_extracti128_si256(eight, 1));
        const __m128i two = _mm_add_epi32(four, _mm_shuffle_epi32(four, 0x4e));
        return _mm_cvtsi128_si32(_mm_add_epi32(two, _mm_shuffle_epi32(two, 0xb1)));
    }
    static std::int32_t line_dot(const std::uint8_t* line, const std::int8_t* high,
                                 const std::int8_t* low, int offset) noexcept {
        __m256i highs = _mm256_setzero_si256(), lows = _mm256_setzero_si256();
        for (std::size_t i = 0; i < kLineBytes; i += 32) {
            highs = multiply_add(highs, load(line + i), load(high + i));
            lows = multiply_add(lows, load(line + i), load(low + i));
        }
        return sum(combine(highs, lows)) - offset;
    }

    static constexpr std::size_t lines_at_once = 1;

    struct Sad {
        using Sums = __m256i;
        static constexpr std::size_t rows = 4;
        static Sums zero() noexcept { return _mm256_setzero_si256(); }
        static void add(Sums& sums, const std::uint8_t* codes, const std::uint8_t* query) noexcept {
            long long eight;
            __builtin_memcpy(&eight, query, sizeof eight);
            sums = _mm256_add_epi64(sums, _mm256_sad_epu8(load(codes), _mm256_set1_epi64x(eight)));
        }
        static void store(Sums sums, std::int32_t* out) noexcept {
            long long wide[rows];
            _mm256_storeu_si256(reinterpret_cast<__m256i*>(wide), sums);
            for (std::size_t r = 0; r < rows; ++r) out[r] = static_cast<std::int32_t>(wide[r]);
        }
        static std::int32_t line_sum(const std::uint8_t* row, const std::uint8_t* query,
                                     std::size_t bytes) noexcept {
            __m256i sums = _mm256_setzero_si256();
            std::size_t i = 0;
            for (; i + 32 < bytes; i += 32) {
                sums = _mm256_add_epi64(sums, _mm256_sad_epu8(load(row + i), load(query + i)));
            }
            const __m256i last =
                _mm256_and_si256(load(row + i), _mm256_setr_epi32(-1, -1, -1, -1, -1, -1, -1, 0));
            sums = _mm256_add_epi64(sums, _mm256_sad_epu8(last, load(query + i)));
            return sum(sums);
        }
    };
};

struct Shorts {
    using Sums = __m256i;
    static constexpr std::size_t width = 16;
    static Sums zero() noexcept { return _mm256_setzero_si256(); }
    static void add(Sums& sums, const std::int16_t* a, const std::int16_t* b) noexcept {
        const __m256i pairs = _mm256_madd_epi16(Codes::load(a), Codes::load(b));
        sums = _mm256_add_epi32(sums, pairs);
    }
    static std::int32_t total(Sums sums) noexcept { return Codes::sum(sums); }
};

#include "codes.inl"
#include "convert.inl"
#include "finish.inl"
#include "panel.inl"
#include "project.inl"
#include "scan_f32.inl"

}  // namespace

extern const KernelTable kAvx2Table;
const KernelTable kAvx2Table{"avx2",
                             kAvx2 | kFma | kF16c,
                             &scan_f32<DotTerm>,
                             &scan_f32<DotNormTerm>,
                             &scan_f32<SqeuclideanTerm>,
                             &scan_f32<ManhattanTerm>,
                             nullptr,
                             nullptr,
                             nullptr,
                             nullptr,
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
