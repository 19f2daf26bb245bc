// Building codes from Python: NumPy multiplies the matrices, the engine writes the codes.
#include <nanobind/stl/optional.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#if defined(__linux__)
#include <malloc.h>
#endif

#include "../engine/block_guard.hpp"
#include "../engine/code_builder.hpp"
#include "../engine/error_bounds.hpp"
#include "arrays.hpp"

namespace lookalike::bindings {
namespace {

using Bytes = Out<std::uint8_t, 1>;
using Floats = Out<float, 1>;

// Level by level: where the codes go, width, first, dims, step, epsilon of the tail.
using ValueLevel = std::tuple<Bytes, std::size_t, std::size_t, std::size_t, double, double>;
// Level by level: where the codes go, width, dims, bytes a row, group size, step, offsets.
using SumLevel =
    std::tuple<Bytes, std::size_t, std::size_t, std::size_t, std::size_t, double, In<float, 1>>;

std::vector<double> encode_values(int metric, In<double, 2> values, In<double, 1> norms2,
                                  std::size_t first, std::size_t n,
                                  const std::vector<ValueLevel>& levels, Bytes centres,
                                  Floats radii, Floats lowest_tails, Floats highest_tails,
                                  double epsilon, double kappa, std::size_t n_threads) {
    engine::CodeTarget target{engine::family_of(static_cast<engine::Metric>(metric)),
                              {},
                              centres.data(),
                              radii.data(),
                              lowest_tails.data(),
                              highest_tails.data(),
                              epsilon,
                              kappa,
                              1.0};
    for (const auto& [codes, width, begin, dims, step, tail_epsilon] : levels) {
        require(begin + dims <= values.shape(1) && dims <= width, "a level beyond the values");
        engine::CodeLevel level{};
        level.width = width;
        level.first = begin;
        level.dims = dims;
        level.step = step;
        level.tail_epsilon = tail_epsilon;
        require(tail_epsilon > 0.0 && tail_epsilon <= 1.0, "an epsilon beyond (0, 1]");
        target.levels.push_back({level, codes.data()});
    }
    require(first % engine::kChunkRows == 0 && first + values.shape(0) <= n &&
                norms2.shape(0) == values.shape(0) && !target.levels.empty(),
            "shapes do not fit");
    std::vector<double> largest;
    {
        const nb::gil_scoped_release released;
        largest = engine::encode_values(target, values.data(), values.shape(1), norms2.data(),
                                        values.shape(0), first, n_threads, has_signal);
    }
    if (largest.empty()) throw nb::python_error();  // the signal's exception is set
    return largest;
}

void encode_sums(In<float, 2> rows, std::size_t first, std::size_t n, double unit,
                 const std::vector<SumLevel>& levels, Bytes centres, Floats radii,
                 std::size_t n_threads) {
    engine::CodeTarget target{engine::Family::kManhattan,
                              {},
                              centres.data(),
                              radii.data(),
                              nullptr,
                              nullptr,
                              0.0,
                              0.0,
                              unit};
    for (const auto& [codes, width, dims, row_bytes, group_size, step, offsets] : levels) {
        require(dims <= width && dims * group_size >= rows.shape(1) && offsets.shape(0) == dims,
                "a level beyond the dimensions");
        engine::CodeLevel level{};
        level.width = width;
        level.dims = dims;
        level.row_bytes = row_bytes;
        level.step = step;
        level.group_size = group_size;
        level.offsets = offsets.data();
        target.levels.push_back({level, codes.data()});
    }
    require(first % engine::kChunkRows == 0 && first + rows.shape(0) <= n && !target.levels.empty(),
            "shapes do not fit");
    bool is_complete = true;
    {
        const nb::gil_scoped_release released;
        is_complete = engine::encode_sums(target, rows.data(), rows.shape(1), rows.shape(0), first,
                                          n_threads, has_signal);
    }
    if (!is_complete) throw nb::python_error();  // the signal's exception is set
}

}  // namespace

void bind_code_builder(nb::module_& m) {
    m.attr("CHUNK_ROWS") = engine::kChunkRows;
    m.attr("BLOCK_ROWS") = kernels::kBlockRows;
    m.attr("LINE_CODES") = kernels::kLineCodes;
    m.attr("PROJECT_STEP") = kernels::kProjectStep;
    m.attr("LINE_BYTES") = kernels::kLineBytes;
    m.attr("GUARDED_BYTES") = engine::kGuardedBytes;
    m.attr("ERROR_SPLIT") = engine::kErrorSplit;
    m.attr("TAIL_SPLIT") = engine::kTailSplit;
    m.attr("CODE_ROUNDINGS") = engine::kCodeRoundings;
    m.attr("BOUND_SLACK") = engine::kBoundSlack;
    m.attr("SUM_SLACK") = engine::kSumSlack;
    m.attr("SUM_LOSS") = engine::kSumLoss;
    m.attr("PRODUCT_LOSS") = engine::kProductLoss;
    m.attr("SMALLEST_STEP") = engine::kSmallestStep;
    m.def("return_free_memory", [] {
#if defined(__GLIBC__)
        malloc_trim(0);
#endif
    });
    m.def("crc32", [](In<std::uint8_t, 1> bytes) {
        const nb::gil_scoped_release released;
        return engine::crc32(bytes.data(), bytes.shape(0));
    });
    m.def("encode_values", &encode_values, nb::arg("metric"), nb::arg("values").noconvert(),
          nb::arg("norms2").noconvert(), nb::arg("first"), nb::arg("n"), nb::arg("levels"),
          nb::arg("centres").noconvert(), nb::arg("radii").noconvert(),
          nb::arg("lowest_tails").noconvert(), nb::arg("highest_tails").noconvert(),
          nb::arg("epsilon"), nb::arg("kappa"), nb::arg("n_threads"));
    m.def("encode_sums", &encode_sums, nb::arg("rows").noconvert(), nb::arg("first"), nb::arg("n"),
          nb::arg("unit"), nb::arg("levels"), nb::arg("centres").noconvert(),
          nb::arg("radii").noconvert(), nb::arg("n_threads"));
}

}  // namespace lookalike::bindings
