// The scans over float32 and double, and what finishes their sums.
#include <cfloat>

#include "compare.hpp"

namespace lookalike::compare {
namespace {

constexpr std::size_t kDims[] = {1,  2,  3,  7,  8,  9,  15,  16,  17,  31,
                                 32, 33, 63, 64, 65, 97, 127, 768, 769, 1536};
constexpr std::size_t kCounts[] = {0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 33};
constexpr std::size_t kMostRows = 33;

enum class Kind { kOrdinary, kWide, kExtreme };

float value_of(Kind kind, Random& random) {
    if (kind == Kind::kOrdinary) return random.unit();
    if (kind == Kind::kWide || random.below(64)) {
        return random.scaled(random.unit(), -70, 60);
    }
    const float extremes[] = {0.0f,    -0.0f,    0x1p-149f, -0x1.8p-140f, FLT_MIN,
                              FLT_MAX, -FLT_MAX, INFINITY,  -INFINITY,    NAN};
    return random.one_of(extremes);
}

// The definition: element i in lane i mod 32, then lanes i and i + 16, + 8, + 4, + 2, + 1.
template <class Element, class Term>
Element sum_of(const float* query, const float* row, std::size_t dim, Term term) {
    Element lane[32] = {};
    for (std::size_t i = 0; i < dim; ++i) {
        lane[i % 32] += term(static_cast<Element>(query[i]), static_cast<Element>(row[i]));
    }
    for (std::size_t half = 16; half > 0; half /= 2) {
        for (std::size_t i = 0; i < half; ++i) lane[i] += lane[i + half];
    }
    return lane[0];
}

template <class Element>
struct Sums {
    std::vector<Element> dot, norm, sqeuclidean, manhattan;

    void add(const float* query, const float* row, std::size_t dim) {
        using E = Element;
        dot.push_back(sum_of<E>(query, row, dim, [](E q, E x) { return q * x; }));
        norm.push_back(sum_of<E>(query, row, dim, [](E, E x) { return x * x; }));
        sqeuclidean.push_back(
            sum_of<E>(query, row, dim, [](E q, E x) { return (q - x) * (q - x); }));
        manhattan.push_back(sum_of<E>(query, row, dim, [](E q, E x) { return std::fabs(q - x); }));
    }
};

struct Rows {
    Guarded<float> query, memory;
    const float* first;
    std::ptrdiff_t stride;

    Rows(std::size_t dim, std::ptrdiff_t stride_, Kind kind, Random& random)
        : query(dim),
          memory((kMostRows - 1) * static_cast<std::size_t>(std::abs(stride_)) + dim),
          first(memory.data() + (stride_ < 0 ? -stride_ : 0) * (kMostRows - 1)),
          stride(stride_) {
        for (float& value : query) value = value_of(kind, random);
        for (float& value : memory) value = value_of(kind, random);
    }
    const float* row(std::size_t r) const {
        return first + static_cast<std::ptrdiff_t>(r) * stride;
    }
};

void compare_scan(kernels::ScanF32 scan, const char* name, Rows& rows, std::size_t dim,
                  const std::vector<float>& first, const std::vector<float>* second,
                  Report& report) {
    for (const std::size_t count : kCounts) {
        report.about("%s_f32, dim %zu, stride %td, %zu rows", name, dim, rows.stride, count);
        Guarded<float> firsts(count), seconds(count);
        // Without a second sum its address must not be touched.
        scan(rows.query.data(), rows.first, count, dim, rows.stride, firsts.data(),
             second ? seconds.data() : nullptr);
        for (std::size_t r = 0; r < count; ++r) {
            report.expect_bits(firsts[r], first[r], r);
            if (second) report.expect_bits(seconds[r], (*second)[r], r);
        }
    }
}

void compare_wide_scan(kernels::ScanF64 scan, const char* name, Rows& rows, std::size_t dim,
                       const std::vector<double>& first, const std::vector<double>* second,
                       Report& report) {
    report.about("%s_f64, dim %zu, stride %td", name, dim, rows.stride);
    for (std::size_t r = 0; r < first.size(); ++r) {
        double sum = 0.0, norm = 0.0;
        scan(rows.query.data(), rows.row(r), dim, &sum, second ? &norm : nullptr);
        report.expect_bits(sum, first[r], r);
        if (second) report.expect_bits(norm, (*second)[r], r);
    }
}

float sum_to_finish(Random& random) {
    const float edges[] = {0.0f,    -0.0f,    0x1p-149f,          0x1p-101f, kernels::kTinySum,
                           1.0f,    -1.0f,    0x1.fffffep-101f,   FLT_MAX,   INFINITY,
                           FLT_MIN, -FLT_MIN, -kernels::kTinySum, NAN,       -INFINITY};
    if (random.below(8) == 0) return random.one_of(edges);
    return random.scaled(1.0f + 0.5f * random.unit(), -60, 60);
}

bool is_safe(float sum) { return sum >= kernels::kTinySum && sum <= FLT_MAX; }

struct Finished {
    float distance;
    bool is_safe;
};

using Reference = Finished (*)(float first, float second, double query_norm);

Finished cosine(float dot, float norm, double query_norm) {
    const double value = 1.0 - double{dot} / std::sqrt(query_norm * double{norm});
    const double clamped = value < 0.0 ? 0.0 : value > 2.0 ? 2.0 : value;
    return {static_cast<float>(clamped), is_safe(norm) && std::fabs(dot) <= FLT_MAX};
}
Finished euclidean(float sum, float, double) { return {std::sqrt(sum), is_safe(sum)}; }
Finished sqeuclidean(float sum, float, double) { return {sum, is_safe(sum)}; }
Finished manhattan(float sum, float, double) { return {sum, sum <= FLT_MAX}; }
Finished inner_product(float sum, float, double) { return {0.0f - sum, is_safe(std::fabs(sum))}; }

void compare_finish(kernels::Finish finish, const char* name, Reference reference, Report& report) {
    Random random;
    for (std::size_t count = 0; count <= 70; ++count) {
        for (const bool is_in_place : {false, true}) {
            report.about("finish_%s, %zu sums", name, count);
            Guarded<float> first(count), second(count), apart(count);
            const double query_norm = random.scaled(1.0 + random.unit() / 2, -90, 90);
            std::vector<Finished> wanted;
            bool all_safe = true;
            for (std::size_t i = 0; i < count; ++i) {
                // Mostly safe counts as well, or the returned flag would always be false.
                do {
                    first[i] = sum_to_finish(random);
                    second[i] = sum_to_finish(random);
                    wanted.push_back(reference(first[i], second[i], query_norm));
                } while (count % 2 && !wanted.back().is_safe && (wanted.pop_back(), true));
                all_safe = all_safe && wanted.back().is_safe;
            }
            float* out = is_in_place ? first.data() : apart.data();
            const bool said = finish(first.data(), second.data(), count, query_norm, out);
            report.expect(said == all_safe, "says whether all sums are safe");
            for (std::size_t i = 0; i < count; ++i) {
                report.expect_bits(out[i], wanted[i].distance, i);
            }
        }
    }
}

}  // namespace

void compare_scans(const kernels::KernelTable& level, Report& report) {
    Random random;
    for (const std::size_t dim : kDims) {
        const std::ptrdiff_t width = static_cast<std::ptrdiff_t>(dim);
        for (const std::ptrdiff_t stride : {width, width + 3, -width - 1}) {
            for (const Kind kind : {Kind::kOrdinary, Kind::kWide, Kind::kExtreme}) {
                Rows rows(dim, stride, kind, random);
                Sums<float> sums;
                Sums<double> wide;
                for (std::size_t r = 0; r < kMostRows; ++r) {
                    sums.add(rows.query.data(), rows.row(r), dim);
                    if (r < 3) wide.add(rows.query.data(), rows.row(r), dim);
                }
                const auto& f = compare_scan;
                f(level.dot_f32, "dot", rows, dim, sums.dot, nullptr, report);
                f(level.dot_norm_f32, "dot_norm", rows, dim, sums.dot, &sums.norm, report);
                f(level.sqeuclidean_f32, "sqeuclidean", rows, dim, sums.sqeuclidean, nullptr,
                  report);
                f(level.manhattan_f32, "manhattan", rows, dim, sums.manhattan, nullptr, report);
                const auto& d = compare_wide_scan;
                d(level.dot_f64, "dot", rows, dim, wide.dot, nullptr, report);
                d(level.dot_norm_f64, "dot_norm", rows, dim, wide.dot, &wide.norm, report);
                d(level.sqeuclidean_f64, "sqeuclidean", rows, dim, wide.sqeuclidean, nullptr,
                  report);
                d(level.manhattan_f64, "manhattan", rows, dim, wide.manhattan, nullptr, report);
            }
        }
    }
}

void compare_finishing(const kernels::KernelTable& level, Report& report) {
    compare_finish(level.finish_cosine, "cosine", &cosine, report);
    compare_finish(level.finish_euclidean, "euclidean", &euclidean, report);
    compare_finish(level.finish_sqeuclidean, "sqeuclidean", &sqeuclidean, report);
    compare_finish(level.finish_manhattan, "manhattan", &manhattan, report);
    compare_finish(level.finish_inner_product, "inner_product", &inner_product, report);
}

}  // namespace lookalike::compare
