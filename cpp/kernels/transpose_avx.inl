// 8 x 8 floats: rows of `source` become columns of `target`, whose rows are `rows` apart.
// Shared by the AVX2 and AVX-512 levels, inside their Panel.
static void transpose_8x8(const float* source, std::ptrdiff_t row_stride, float* target) noexcept {
    __m256 row[8], pair[8], quad[8];
    for (int j = 0; j < 8; ++j) row[j] = _mm256_loadu_ps(source + j * row_stride);
    for (int j = 0; j < 8; j += 2) {
        pair[j] = _mm256_unpacklo_ps(row[j], row[j + 1]);
        pair[j + 1] = _mm256_unpackhi_ps(row[j], row[j + 1]);
    }
    for (int j = 0; j < 8; j += 4) {
        quad[j] = _mm256_shuffle_ps(pair[j], pair[j + 2], 0x44);
        quad[j + 1] = _mm256_shuffle_ps(pair[j], pair[j + 2], 0xee);
        quad[j + 2] = _mm256_shuffle_ps(pair[j + 1], pair[j + 3], 0x44);
        quad[j + 3] = _mm256_shuffle_ps(pair[j + 1], pair[j + 3], 0xee);
    }
    for (int j = 0; j < 4; ++j) {
        const __m256 low = _mm256_permute2f128_ps(quad[j], quad[j + 4], 0x20);
        const __m256 high = _mm256_permute2f128_ps(quad[j], quad[j + 4], 0x31);
        _mm256_storeu_ps(target + static_cast<std::size_t>(j) * rows, low);
        _mm256_storeu_ps(target + static_cast<std::size_t>(j + 4) * rows, high);
    }
}
