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

#include "convert.inl"
#include "finish.inl"
#include "panel.inl"
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
                             &find_candidates};

}  // namespace lookalike::kernels
