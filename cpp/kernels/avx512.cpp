// The AVX-512 level: F, BW, VL and DQ (every server core since 2017), and nothing else.
#include <immintrin.h>

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
    static constexpr std::size_t width = 16;
    static constexpr std::size_t rows_at_once = 1;

    static Vector zero() noexcept { return _mm512_setzero_ps(); }
    static Vector load(const float* source) noexcept { return _mm512_loadu_ps(source); }
    static Vector load_part(const float* source, std::size_t count) noexcept {
        return _mm512_maskz_loadu_ps(static_cast<__mmask16>((1u << count) - 1u), source);
    }
    static Vector add(Vector a, Vector b) noexcept { return _mm512_add_ps(a, b); }
    static Vector sub(Vector a, Vector b) noexcept { return _mm512_sub_ps(a, b); }
    static Vector mul(Vector a, Vector b) noexcept { return _mm512_mul_ps(a, b); }
    static Vector abs(Vector a) noexcept { return _mm512_abs_ps(a); }
    static float sum(const Vector (&parts)[2]) noexcept {
        const __m512 sixteen = _mm512_add_ps(parts[0], parts[1]);
        const __m256 eight =
            _mm256_add_ps(_mm512_castps512_ps256(sixteen), _mm512_extractf32x8_ps(sixteen, 1));
        const __m128 four =
            _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
        const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
        return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
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

#include "convert.inl"
#include "finish.inl"
#include "panel.inl"
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
                               &find_candidates};

}  // namespace lookalike::kernels
