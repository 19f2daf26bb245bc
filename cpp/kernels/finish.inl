// From sums to distances, once for all levels. Plain loops that the compiler vectorises with
// the level's own flags: IEEE square roots and divisions are correctly rounded, so that every
// level returns the same bits. (float)sqrt((double)s) == sqrtf(s) for every float s.

inline bool is_safe(float sum) noexcept { return sum >= kTinySum && sum <= FLT_MAX; }

inline float clamp_cosine(double value) noexcept {
    value = value < 0.0 ? 0.0 : value;
    return static_cast<float>(value > 2.0 ? 2.0 : value);
}

bool finish_cosine(const float* first, const float* second, std::size_t count, double query_norm,
                   float* out) noexcept {
    int unsafe = 0;
    for (std::size_t i = 0; i < count; ++i) {
        const float dot = first[i], norm = second[i];
        unsafe |= !(is_safe(norm) & (__builtin_fabsf(dot) <= FLT_MAX));
        const double root = __builtin_sqrt(query_norm * static_cast<double>(norm));
        out[i] = clamp_cosine(1.0 - static_cast<double>(dot) / root);
    }
    return unsafe == 0;
}

bool finish_euclidean(const float* first, const float*, std::size_t count, double,
                      float* out) noexcept {
    int unsafe = 0;
    for (std::size_t i = 0; i < count; ++i) {
        unsafe |= !is_safe(first[i]);
        out[i] = __builtin_sqrtf(first[i]);
    }
    return unsafe == 0;
}

bool finish_sqeuclidean(const float* first, const float*, std::size_t count, double,
                        float* out) noexcept {
    int unsafe = 0;
    for (std::size_t i = 0; i < count; ++i) {
        unsafe |= !is_safe(first[i]);
        out[i] = first[i];
    }
    return unsafe == 0;
}

bool finish_manhattan(const float* first, const float*, std::size_t count, double,
                      float* out) noexcept {
    int unsafe = 0;  // additions lose nothing to underflow: only overflow counts
    for (std::size_t i = 0; i < count; ++i) {
        unsafe |= !(first[i] <= FLT_MAX);
        out[i] = first[i];
    }
    return unsafe == 0;
}

bool finish_inner_product(const float* first, const float*, std::size_t count, double,
                          float* out) noexcept {
    int unsafe = 0;
    for (std::size_t i = 0; i < count; ++i) {
        unsafe |= !is_safe(__builtin_fabsf(first[i]));
        out[i] = 0.0f - first[i];  // not -0 for orthogonal embeddings
    }
    return unsafe == 0;
}
