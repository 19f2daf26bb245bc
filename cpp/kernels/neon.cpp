// The NEON level: what every 64-bit Arm CPU has.
#include <arm_neon.h>

#include <cfloat>
#include <cstdint>

#include "kernel_table.hpp"

#if !defined(__aarch64__) || !defined(__ARM_NEON)
#error "neon.cpp must be compiled for 64-bit Arm, with -march=armv8-a"
#endif
#if defined(__ARM_FEATURE_DOTPROD) || defined(__ARM_FEATURE_FP16_VECTOR_ARITHMETIC) || \
    defined(__ARM_FEATURE_SVE)
#error "neon.cpp was compiled for more than its table declares"
#endif

namespace lookalike::kernels {
namespace {

// Lanes 0 and 1 of a, then of b; and lanes 2 and 3.
inline float32x4_t low_halves(float32x4_t a, float32x4_t b) noexcept {
    return vcombine_f32(vget_low_f32(a), vget_low_f32(b));
}
inline float32x4_t high_halves(float32x4_t a, float32x4_t b) noexcept {
    return vcombine_f32(vget_high_f32(a), vget_high_f32(b));
}

struct Lanes {
    using Vector = float32x4_t;
    using Folded = Vector;
    static constexpr std::size_t width = 4;
    static constexpr std::size_t rows_summed_at_once = 4;

    static Vector zero() noexcept { return vdupq_n_f32(0.0f); }
    static Vector load(const float* source) noexcept { return vld1q_f32(source); }
    static Vector load_part(const float* source, std::size_t count) noexcept {
        const float32x2_t none = vdup_n_f32(0.0f);
        switch (count) {
            case 1:
                return vcombine_f32(vld1_lane_f32(source, none, 0), none);
            case 2:
                return vcombine_f32(vld1_f32(source), none);
            case 3:
                return vcombine_f32(vld1_f32(source), vld1_lane_f32(source + 2, none, 0));
            default:
                return load(source);
        }
    }
    // Never vmlaq_f32 or vfmaq_f32: products are rounded before they are added.
    static Vector add(Vector a, Vector b) noexcept { return vaddq_f32(a, b); }
    static Vector sub(Vector a, Vector b) noexcept { return vsubq_f32(a, b); }
    static Vector mul(Vector a, Vector b) noexcept { return vmulq_f32(a, b); }
    static Vector abs(Vector a) noexcept { return vabsq_f32(a); }
    static void keep(Vector& a) noexcept { __asm__("" : "+w"(a)); }
    static Vector fold(const Vector (&parts)[8]) noexcept {
        Vector sixteen[4];
        for (int j = 0; j < 4; ++j) sixteen[j] = vaddq_f32(parts[j], parts[j + 4]);
        return vaddq_f32(vaddq_f32(sixteen[0], sixteen[2]), vaddq_f32(sixteen[1], sixteen[3]));
    }
    static float sum(const Vector (&parts)[8]) noexcept {
        const float32x4_t four = fold(parts);
        return vpadds_f32(vadd_f32(vget_low_f32(four), vget_high_f32(four)));
    }
    static void sum_rows(const Vector (&row)[4], float* sums) noexcept {
        const float32x4_t first =
            vaddq_f32(low_halves(row[0], row[1]), high_halves(row[0], row[1]));
        const float32x4_t second =
            vaddq_f32(low_halves(row[2], row[3]), high_halves(row[2], row[3]));
        vst1q_f32(sums, vpaddq_f32(first, second));
    }
    static void half_to_float(const std::uint16_t* source, std::size_t count,
                              float* target) noexcept {
        std::size_t i = 0;
        for (; i + 4 <= count; i += 4) {
            vst1q_f32(target + i, vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(source + i))));
        }
        for (; i < count; ++i) {
            const float16x4_t half = vreinterpret_f16_u16(vdup_n_u16(source[i]));
            target[i] = vgetq_lane_f32(vcvt_f32_f16(half), 0);
        }
    }
};

struct Panel {
    using Vector = float32x4_t;
    static constexpr std::size_t width = 4;
    static constexpr std::size_t rows = 16;
    static constexpr std::size_t queries_at_once = 4;  // 6 would fit, but not as GCC schedules it

    static Vector zero() noexcept { return vdupq_n_f32(0.0f); }
    static Vector load(const float* source) noexcept { return vld1q_f32(source); }
    static void store(float* target, Vector a) noexcept { vst1q_f32(target, a); }
    static Vector broadcast(const float* source) noexcept { return vld1q_dup_f32(source); }
    static Vector fma(Vector a, Vector b, Vector c) noexcept { return vfmaq_f32(c, a, b); }

    static void transpose_4x4(const float* source, std::ptrdiff_t row_stride,
                              float* target) noexcept {
        float32x4_t row[4];
        for (int j = 0; j < 4; ++j) row[j] = vld1q_f32(source + j * row_stride);
        const float32x4_t even[2] = {vtrn1q_f32(row[0], row[1]), vtrn1q_f32(row[2], row[3])};
        const float32x4_t odd[2] = {vtrn2q_f32(row[0], row[1]), vtrn2q_f32(row[2], row[3])};
        vst1q_f32(target, low_halves(even[0], even[1]));
        vst1q_f32(target + rows, low_halves(odd[0], odd[1]));
        vst1q_f32(target + 2 * rows, high_halves(even[0], even[1]));
        vst1q_f32(target + 3 * rows, high_halves(odd[0], odd[1]));
    }
    // In quarters: rows of `source` become columns of `target`, whose rows are `rows` apart.
    static void transpose_8x8(const float* source, std::ptrdiff_t row_stride,
                              float* target) noexcept {
        for (std::size_t i = 0; i < 8; i += 4) {
            transpose_4x4(source + i, row_stride, target + i * rows);
            transpose_4x4(source + 4 * row_stride + i, row_stride, target + i * rows + 4);
        }
    }
};

// A pair's sum fits 16 bits: codes are within 128 of zero, query bytes within 64.
inline int32x4_t multiply_add(int32x4_t sums, int8x16_t codes, int8x16_t query) noexcept {
    const int16x8_t pairs =
        vpaddq_s16(vmull_s8(vget_low_s8(codes), vget_low_s8(query)), vmull_high_s8(codes, query));
    return vpadalq_s16(sums, pairs);
}

inline uint32x4_t add_bytes(uint32x4_t sums, uint8x16_t bytes) noexcept {
    return vpadalq_u16(sums, vpaddlq_u8(bytes));
}

#include "codes_neon.inl"

struct Shorts {
    using Sums = int32x4_t;
    static constexpr std::size_t width = 8;
    static Sums zero() noexcept { return vdupq_n_s32(0); }
    static void add(Sums& sums, const std::int16_t* a, const std::int16_t* b) noexcept {
        const int16x8_t left = vld1q_s16(a), right = vld1q_s16(b);
        sums = vmlal_s16(sums, vget_low_s16(left), vget_low_s16(right));
        sums = vmlal_high_s16(sums, left, right);
    }
    static std::int32_t total(Sums sums) noexcept { return vaddvq_s32(sums); }
};

#include "codes.inl"
#include "convert.inl"
#include "finish.inl"
#include "panel.inl"
#include "project.inl"
#include "scan_f32.inl"

}  // namespace

extern const KernelTable kNeonTable;
const KernelTable kNeonTable{.name = "neon",
                             .requires_ = 0,  // of a 64-bit Arm CPU
                             .dot_f32 = &scan_f32<DotTerm>,
                             .dot_norm_f32 = &scan_f32<DotNormTerm>,
                             .sqeuclidean_f32 = &scan_f32<SqeuclideanTerm>,
                             .manhattan_f32 = &scan_f32<ManhattanTerm>,
                             .finish_cosine = &finish_cosine,
                             .finish_euclidean = &finish_euclidean,
                             .finish_sqeuclidean = &finish_sqeuclidean,
                             .finish_manhattan = &finish_manhattan,
                             .finish_inner_product = &finish_inner_product,
                             .convert = LOOKALIKE_CONVERTERS,
                             .panel_rows = Panel::rows,
                             .pack_panel = &pack_panel,
                             .panel_products = &panel_products,
                             .find_candidates = &find_candidates,
                             .scan_heads = &scan_heads,
                             .scan_lines = &scan_lines,
                             .scan_sad_heads = &scan_sad_heads,
                             .scan_sad_lines = &scan_sad_lines,
                             .project = &project};

}  // namespace lookalike::kernels
