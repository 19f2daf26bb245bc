// Codes of the NEON levels, inside each one's unnamed namespace, which defines
//
//   multiply_add(sums, codes, query)   adds to each int32 sum 4 products of signed bytes
//   add_bytes(sums, bytes)             adds to each uint32 sum 4 bytes
//
// Before Armv8.6 no instruction multiplies an unsigned by a signed byte, so codes are read as
// code and not as code + 128: the two differ in their highest bit.
struct Codes {
    using Sums = int32x4_t;
    static constexpr std::size_t rows = 4;

    static Sums start(int) noexcept { return vdupq_n_s32(0); }
    static int8x16_t load(const std::uint8_t* stored) noexcept {
        return vreinterpretq_s8_u8(veorq_u8(vld1q_u8(stored), vdupq_n_u8(0x80)));
    }
    static void add(Sums& sums, const std::uint8_t* codes, const std::int8_t* query) noexcept {
        std::int32_t four;
        __builtin_memcpy(&four, query, sizeof four);
        sums = multiply_add(sums, load(codes), vreinterpretq_s8_s32(vdupq_n_s32(four)));
    }
    static Sums plus(Sums a, Sums b) noexcept { return vaddq_s32(a, b); }
    static Sums combine(Sums high, Sums low) noexcept {
        return vaddq_s32(vshlq_n_s32(high, 7), low);
    }
    static std::size_t find(const CodeQuery& query, const Sums (&dots)[4],
                            const std::uint8_t* terms, float limit, std::uint32_t first_row,
                            Survivors found, std::size_t count) noexcept {
        float32x4_t partial[4], bound[4];
        uint32x4_t kept[4], any = vdupq_n_u32(0);
        for (std::size_t p = 0; p < 4; ++p) {
            const float* term = reinterpret_cast<const float*>(terms) + p * rows;
            const float32x4_t tail = vld1q_f32(term + kBlockRows);
            partial[p] = vfmsq_f32(
                vfmaq_f32(vdupq_n_f32(query.alpha), vdupq_n_f32(query.gamma), vld1q_f32(term)),
                vdupq_n_f32(query.beta), vcvtq_f32_s32(dots[p]));
            bound[p] = vfmaq_f32(
                partial[p], tail,
                vfmaq_f32(vdupq_n_f32(query.tail_slope), vdupq_n_f32(query.tail_curve), tail));
            kept[p] = vmvnq_u32(vcgtq_f32(bound[p], vdupq_n_f32(limit)));  // a NaN is kept
            any = vorrq_u32(any, kept[p]);
        }
        if (!vmaxvq_u32(any)) return count;
        float partials[kBlockRows], bounds[kBlockRows];
        std::uint32_t is_kept[kBlockRows];
        for (std::size_t p = 0; p < 4; ++p) {
            vst1q_f32(partials + p * rows, partial[p]);
            vst1q_f32(bounds + p * rows, bound[p]);
            vst1q_u32(is_kept + p * rows, kept[p]);
        }
        for (std::size_t r = 0; r < kBlockRows; ++r) {
            found.rows[count] = first_row + static_cast<std::uint32_t>(r);
            found.partials[count] = partials[r];
            found.bounds[count] = bounds[r];
            count += is_kept[r] & 1u;
        }
        return count;
    }
    static std::int32_t line_dot(const std::uint8_t* line, const std::int8_t* high,
                                 const std::int8_t* low, int) noexcept {
        Sums highs = vdupq_n_s32(0), lows = vdupq_n_s32(0);
        for (std::size_t i = 0; i < kLineBytes; i += 16) {
            highs = multiply_add(highs, load(line + i), vld1q_s8(high + i));
            lows = multiply_add(lows, load(line + i), vld1q_s8(low + i));
        }
        return vaddvq_s32(combine(highs, lows));
    }

    static constexpr std::size_t lines_at_once = 1;

    struct Sad {
        using Sums = uint32x4_t;
        static constexpr std::size_t rows = 2;
        static Sums zero() noexcept { return vdupq_n_u32(0); }
        static void add(Sums& sums, const std::uint8_t* codes, const std::uint8_t* query) noexcept {
            const uint8x8_t eight = vld1_u8(query);
            sums = add_bytes(sums, vabdq_u8(vld1q_u8(codes), vcombine_u8(eight, eight)));
        }
        static void store(Sums sums, std::int32_t* out) noexcept {
            vst1_s32(out, vreinterpret_s32_u32(vpadd_u32(vget_low_u32(sums), vget_high_u32(sums))));
        }
        static std::int32_t line_sum(const std::uint8_t* row, const std::uint8_t* query,
                                     std::size_t bytes) noexcept {
            Sums sums = vdupq_n_u32(0);
            std::size_t i = 0;
            for (; i + 16 < bytes; i += 16) {
                sums = add_bytes(sums, vabdq_u8(vld1q_u8(row + i), vld1q_u8(query + i)));
            }
            const uint32x4_t codes = vreinterpretq_u32_u8(vld1q_u8(row + i));
            const uint8x16_t last = vreinterpretq_u8_u32(vsetq_lane_u32(0, codes, 3));
            sums = add_bytes(sums, vabdq_u8(last, vld1q_u8(query + i)));
            return static_cast<std::int32_t>(vaddvq_u32(sums));
        }
    };
};
