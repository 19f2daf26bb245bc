// Codes of the AVX-512 levels, inside each one's unnamed namespace, which defines
//
//   multiply_add(sums, codes, query)   adds to each int32 sum 4 products of u8 codes and i8 query
struct Codes {
    using Sums = __m512i;
    static constexpr std::size_t rows = 16;

    static Sums start(int offset) noexcept { return _mm512_set1_epi32(-offset); }
    static void add(Sums& sums, const std::uint8_t* codes, const std::int8_t* query) noexcept {
        std::int32_t four;
        __builtin_memcpy(&four, query, sizeof four);
        sums = multiply_add(sums, _mm512_loadu_si512(codes), _mm512_set1_epi32(four));
    }
    static Sums plus(Sums a, Sums b) noexcept { return _mm512_add_epi32(a, b); }
    static Sums combine(Sums high, Sums low) noexcept {
        return _mm512_add_epi32(_mm512_slli_epi32(high, 7), low);
    }
    static std::size_t find(const CodeQuery& query, const Sums (&dots)[1],
                            const std::uint8_t* terms, float limit, std::uint32_t first_row,
                            Survivors found, std::size_t count) noexcept {
        const __m512 dot = _mm512_cvtepi32_ps(dots[0]);
        const __m512 tail = _mm512_loadu_ps(terms + 64);
        const __m512 partial =
            _mm512_fnmadd_ps(_mm512_set1_ps(query.beta), dot,
                             _mm512_fmadd_ps(_mm512_set1_ps(query.gamma), _mm512_loadu_ps(terms),
                                             _mm512_set1_ps(query.alpha)));
        const __m512 bound = _mm512_fmadd_ps(tail,
                                             _mm512_fmadd_ps(_mm512_set1_ps(query.tail_curve), tail,
                                                             _mm512_set1_ps(query.tail_slope)),
                                             partial);
        const __mmask16 kept = _mm512_cmp_ps_mask(bound, _mm512_set1_ps(limit), _CMP_NGT_UQ);
        if (!kept) return count;
        const __m512i row = _mm512_add_epi32(
            _mm512_set1_epi32(static_cast<int>(first_row)),
            _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15));
        _mm512_storeu_si512(found.rows + count, _mm512_maskz_compress_epi32(kept, row));
        _mm512_storeu_ps(found.partials + count, _mm512_maskz_compress_ps(kept, partial));
        _mm512_storeu_ps(found.bounds + count, _mm512_maskz_compress_ps(kept, bound));
        return count + static_cast<std::size_t>(__builtin_popcount(kept));
    }
    static std::int32_t line_dot(const std::uint8_t* line, const std::int8_t* high,
                                 const std::int8_t* low, int offset) noexcept {
        const __m512i codes = _mm512_loadu_epi32(line);
        const __m512i none = _mm512_setzero_si512();
        const __m512i dots = combine(multiply_add(none, codes, _mm512_loadu_si512(high)),
                                     multiply_add(none, codes, _mm512_loadu_si512(low)));
        return _mm512_reduce_add_epi32(dots) - offset;
    }

    // Sixteen lines share the last steps of their sums and one vector of bounds: a third of the
    // instructions, so that more lines are on their way from memory at a time.
    static constexpr std::size_t lines_at_once = 16;
    static constexpr std::size_t fewest_lines = 4;  // for which the same is still cheaper
    static std::size_t scan_some_lines(const CodeQuery& query, const std::uint8_t* lines,
                                       std::size_t first, std::size_t some, float limit,
                                       Survivors kept, std::size_t n) noexcept {
        const __m512i high = _mm512_loadu_si512(query.high), low = _mm512_loadu_si512(query.low);
        const __m512i none = _mm512_setzero_si512();
        __m512i dots[16];
        long long floats[16];  // the row term and the tail of each line
        for (std::size_t j = 0; j < 16; ++j) {
            const std::size_t at = first + (j < some ? j : some - 1);  // the last, again
            const std::uint8_t* line = lines + std::size_t{kept.rows[at]} * kLineBytes;
            __m512i codes = _mm512_loadu_si512(line);
            __asm__("" : "+v"(codes));  // else GCC keeps it on the stack
            dots[j] = combine(multiply_add(none, codes, high), multiply_add(none, codes, low));
            __builtin_memcpy(&floats[j], line + kLineCodes, sizeof floats[j]);
        }
        const __m512 dot =
            _mm512_cvtepi32_ps(_mm512_sub_epi32(sum_each(dots), _mm512_set1_epi32(query.offset)));
        const __m512i halves[2] = {_mm512_loadu_si512(floats), _mm512_loadu_si512(floats + 8)};
        const __m512i even =
            _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
        const __m512i odd = _mm512_add_epi32(even, _mm512_set1_epi32(1));
        const __m512 term =
            _mm512_castsi512_ps(_mm512_permutex2var_epi32(halves[0], even, halves[1]));
        const __m512 tail =
            _mm512_castsi512_ps(_mm512_permutex2var_epi32(halves[0], odd, halves[1]));
        const __m512 added = _mm512_fnmadd_ps(
            _mm512_set1_ps(query.beta), dot,
            _mm512_fmadd_ps(_mm512_set1_ps(query.gamma), term, _mm512_set1_ps(query.alpha)));
        const __m512 partial = _mm512_add_ps(_mm512_loadu_ps(kept.partials + first), added);
        const __m512 bound = _mm512_fmadd_ps(tail,
                                             _mm512_fmadd_ps(_mm512_set1_ps(query.tail_curve), tail,
                                                             _mm512_set1_ps(query.tail_slope)),
                                             partial);
        const auto asked = static_cast<__mmask16>((1u << some) - 1u);
        const __mmask16 stays =
            _mm512_mask_cmp_ps_mask(asked, bound, _mm512_set1_ps(limit), _CMP_NGT_UQ);
        const __m512i row = _mm512_loadu_si512(kept.rows + first);
        // Whole vectors: n <= first, so that only survivors that were read are overwritten, and
        // there is room behind the last.
        _mm512_storeu_si512(kept.rows + n, _mm512_maskz_compress_epi32(stays, row));
        _mm512_storeu_ps(kept.partials + n, _mm512_maskz_compress_ps(stays, partial));
        _mm512_storeu_ps(kept.bounds + n, _mm512_maskz_compress_ps(stays, bound));
        return n + static_cast<std::size_t>(__builtin_popcount(stays));
    }

    // The sum of each vector's lanes, in order. Each step adds the halves of two vectors.
    static __m512i sum_each(const __m512i (&rows)[16]) noexcept {
        __m512i eight[8], four[4], two[2];
        for (int j = 0; j < 8; ++j) {
            const __m512i a = rows[2 * j], b = rows[2 * j + 1];
            eight[j] = _mm512_add_epi32(_mm512_shuffle_i32x4(a, b, 0x44),
                                        _mm512_shuffle_i32x4(a, b, 0xee));
        }
        for (int j = 0; j < 4; ++j) {
            const __m512i a = eight[2 * j], b = eight[2 * j + 1];
            four[j] = _mm512_add_epi32(_mm512_shuffle_i32x4(a, b, 0x88),
                                       _mm512_shuffle_i32x4(a, b, 0xdd));
        }
        for (int j = 0; j < 2; ++j) {
            const __m512i a = four[2 * j], b = four[2 * j + 1];
            two[j] = _mm512_add_epi32(_mm512_unpacklo_epi64(a, b), _mm512_unpackhi_epi64(a, b));
        }
        const __m512 a = _mm512_castsi512_ps(two[0]), b = _mm512_castsi512_ps(two[1]);
        const __m512i one = _mm512_add_epi32(_mm512_castps_si512(_mm512_shuffle_ps(a, b, 0x88)),
                                             _mm512_castps_si512(_mm512_shuffle_ps(a, b, 0xdd)));
        const __m512i order =
            _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
        return _mm512_permutexvar_epi32(order, one);
    }

    struct Sad {
        using Sums = __m512i;
        static constexpr std::size_t rows = 8;
        static Sums zero() noexcept { return _mm512_setzero_si512(); }
        static void add(Sums& sums, const std::uint8_t* codes, const std::uint8_t* query) noexcept {
            long long eight;
            __builtin_memcpy(&eight, query, sizeof eight);
            sums = _mm512_add_epi64(
                sums, _mm512_sad_epu8(_mm512_loadu_si512(codes), _mm512_set1_epi64(eight)));
        }
        static void store(Sums sums, std::int32_t* out) noexcept {
            _mm256_storeu_si256(reinterpret_cast<__m256i*>(out), _mm512_cvtepi64_epi32(sums));
        }
        static std::int32_t line_sum(const std::uint8_t* row, const std::uint8_t* query,
                                     std::size_t bytes) noexcept {
            __m512i sums = _mm512_setzero_si512();
            std::size_t i = 0;
            for (; i + 64 < bytes; i += 64) {
                sums = _mm512_add_epi64(sums, _mm512_sad_epu8(_mm512_loadu_si512(row + i),
                                                              _mm512_loadu_si512(query + i)));
            }
            const __m512i last = _mm512_maskz_loadu_epi32(0x7fff, row + i);
            sums = _mm512_add_epi64(sums, _mm512_sad_epu8(last, _mm512_loadu_si512(query + i)));
            return static_cast<std::int32_t>(_mm512_reduce_add_epi64(sums));
        }
    };
};

// And the int16 of the projection:
//
//   multiply_add_pairs(sums, a, b)     adds to each int32 sum 2 products of int16
struct Shorts {
    using Sums = __m512i;
    static constexpr std::size_t width = 32;
    static Sums zero() noexcept { return _mm512_setzero_si512(); }
    static void add(Sums& sums, const std::int16_t* a, const std::int16_t* b) noexcept {
        sums = multiply_add_pairs(sums, _mm512_loadu_si512(a), _mm512_loadu_si512(b));
    }
    static std::int32_t total(Sums sums) noexcept { return _mm512_reduce_add_epi32(sums); }
};
