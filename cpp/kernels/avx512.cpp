// The AVX-512 level: F, BW, VL and DQ (every server core since 2017), and nothing else.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"  // GCC bug 105593, in its own header
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#include <immintrin.h>
#pragma GCC diagnostic pop

#include <cfloat>
#include <cstdint>

#include "kernel_table.hpp"

#if !defined(__AVX512F__) || !defined(__AVX512BW__) || !defined(__AVX512VL__) || \
    !defined(__AVX512DQ__)
#error "avx512.cpp must be compiled with -mavx512f -mavx512bw -mavx512vl -mavx512dq"
#endif
#if defined(__AVX512VNNI__) || defined(__AVX512BF16__)
#error "avx512.cpp was compiled for more than its table declares"
#endif

namespace lookalike::kernels {
namespace {

struct Lanes {
    using Vector = __m512;
    using Folded = Vector;
    static constexpr std::size_t width = 16;
    static constexpr std::size_t rows_summed_at_once = 16;

    static Vector zero() noexcept { return _mm512_setzero_ps(); }
    static Vector load(const float* source) noexcept { return _mm512_loadu_ps(source); }
    static Vector load_part(const float* source, std::size_t count) noexcept {
        return _mm512_maskz_loadu_ps(static_cast<__mmask16>((1u << count) - 1u), source);
    }
    static Vector add(Vector a, Vector b) noexcept { return _mm512_add_ps(a, b); }
    static Vector sub(Vector a, Vector b) noexcept { return _mm512_sub_ps(a, b); }
    static Vector mul(Vector a, Vector b) noexcept { return _mm512_mul_ps(a, b); }
    static Vector abs(Vector a) noexcept { return _mm512_abs_ps(a); }
    static void keep(Vector& a) noexcept { __asm__("" : "+v"(a)); }
    static Vector fold(const Vector (&parts)[2]) noexcept {
        return _mm512_add_ps(parts[0], parts[1]);
    }
    static float sum(const Vector (&parts)[2]) noexcept {
        const __m512 sixteen = fold(parts);
        const __m256 eight =
            _mm256_add_ps(_mm512_castps512_ps256(sixteen), _mm512_extractf32x8_ps(sixteen, 1));
        const __m128 four =
            _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
        const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
        return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
    }
    // Each step adds the halves of two rows' lanes at once, so that nothing is added to itself;
    // the rows end in the order that the last permutation undoes.
    static void sum_rows(const Vector (&row)[16], float* sums) noexcept {
        __m512 eight[8], four[4], two[2];
        for (int j = 0; j < 8; ++j) {
            const __m512 a = row[2 * j], b = row[2 * j + 1];
            eight[j] =
                _mm512_add_ps(_mm512_shuffle_f32x4(a, b, 0x44), _mm512_shuffle_f32x4(a, b, 0xee));
        }
        for (int j = 0; j < 4; ++j) {
            const __m512 a = eight[2 * j], b = eight[2 * j + 1];
            four[j] =
                _mm512_add_ps(_mm512_shuffle_f32x4(a, b, 0x88), _mm512_shuffle_f32x4(a, b, 0xdd));
        }
        for (int j = 0; j < 2; ++j) {
            const __m512 a = four[2 * j], b = four[2 * j + 1];
            two[j] = _mm512_add_ps(_mm512_shuffle_ps(a, b, 0x44), _mm512_shuffle_ps(a, b, 0xee));
        }
        const __m512 one = _mm512_add_ps(_mm512_shuffle_ps(two[0], two[1], 0x88),
                                         _mm512_shuffle_ps(two[0], two[1], 0xdd));
        const __m512i order =
            _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
        _mm512_storeu_ps(sums, _mm512_permutexvar_ps(order, one));
    }
    static void half_to_float(const std::uint16_t* source, std::size_t count,
                              float* target) noexcept {
        std::size_t i = 0;
        for (; i + 16 <= count; i += 16) {
            const __m256i halves = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(source + i));
            _mm512_storeu_ps(target + i, _mm512_cvtph_ps(halves));
        }
        if (i < count) {
            const __mmask16 mask = static_cast<__mmask16>((1u << (count - i)) - 1u);
            _mm512_mask_storeu_ps(target + i, mask,
                                  _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(mask, source + i)));
        }
    }
};

struct Panel {
    using Vector = __m512;
    static constexpr std::size_t width = 16;
    static constexpr std::size_t rows = 32;
    static constexpr std::size_t queries_at_once = 12;

    static Vector zero() noexcept { return _mm512_setzero_ps(); }
    static Vector load(const float* source) noexcept { return _mm512_loadu_ps(source); }
    static void store(float* target, Vector a) noexcept { _mm512_storeu_ps(target, a); }
    static Vector broadcast(const float* source) noexcept { return _mm512_set1_ps(*source); }
    static Vector fma(Vector a, Vector b, Vector c) noexcept { return _mm512_fmadd_ps(a, b, c); }
#include "transpose_avx.inl"
};

// A pair's sum fits 16 bits: codes + 128 are at most 255, query bytes within 64 of zero.
inline __m512i multiply_add(__m512i sums, __m512i codes, __m512i query) noexcept {
    const __m512i pairs = _mm512_maddubs_epi16(codes, query);
    return _mm512_add_epi32(sums, _mm512_madd_epi16(pairs, _mm512_set1_epi16(1)));
}

inline __m512i multiply_add_pairs(__m512i sums, __m512i a, __m512i b) noexcept {
    return _mm512_add_epi32(sums, _mm512_madd_epi16(a, b));
}

#include "codes_avx512.inl"

#include "codes.inl"
#include "convert.inl"
#include "finish.inl"
#include "panel.inl"
#include "project.inl"
#include "scan_f32.inl"

}  // namespace

extern const KernelTable kAvx512Table;
const KernelTable kAvx512Table{"avx512",
                               kAvx2 | kFma | kF16c | kAvx512f | kAvx512bw | kAvx512vl | kAvx512dq,
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
