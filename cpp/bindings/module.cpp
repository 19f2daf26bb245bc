// The Python face of the engine: arrays in, arrays filled, the GIL released while scanning.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <stdexcept>
#include <string>
#include <tuple>
#include <vector>

#include "../engine/error_bounds.hpp"
#include "../engine/scan.hpp"
#include "../kernels/dispatch.hpp"
#include "arrays.hpp"

namespace nb = nanobind;
using namespace lookalike;

namespace {

using bindings::GroupArray;
using bindings::has_signal;
using bindings::require;
using bindings::rows_of;
using QueryArray = bindings::In<float, 2>;
using FloatOut = bindings::Out<float, 2>;
using IdOut = bindings::Out<std::int64_t, 2>;
// (first bad row or -1, pairs scored exactly)
using Report = std::tuple<std::int64_t, std::uint64_t>;

kernels::ElementType element_type(nb::dlpack::dtype type) {
    using kernels::ElementType;
    using nb::dlpack::dtype_code;
    const auto code = static_cast<dtype_code>(type.code);
    const auto pick = [&](ElementType b8, ElementType b16, ElementType b32, ElementType b64) {
        switch (type.bits) {
            case 8:
                return b8;
            case 16:
                return b16;
            case 32:
                return b32;
            case 64:
                return b64;
            default:
                return ElementType::kCount;
        }
    };
    ElementType found = ElementType::kCount;
    if (code == dtype_code::Float) {
        found = pick(ElementType::kCount, ElementType::kFloat16, ElementType::kFloat32,
                     ElementType::kFloat64);
    } else if (code == dtype_code::Int) {
        found =
            pick(ElementType::kInt8, ElementType::kInt16, ElementType::kInt32, ElementType::kInt64);
    } else if (code == dtype_code::UInt) {
        found = pick(ElementType::kUInt8, ElementType::kUInt16, ElementType::kUInt32,
                     ElementType::kUInt64);
    }
    if (found == ElementType::kCount) throw std::invalid_argument("unsupported element type");
    return found;
}

Report report(const engine::Outcome& outcome) {
    if (!outcome.is_complete) throw nb::python_error();  // the signal's exception is set
    return {outcome.bad_row == engine::kNoRow ? -1 : static_cast<std::int64_t>(outcome.bad_row),
            outcome.rows_scored};
}

Report score_all(const std::string& level, int metric, QueryArray queries, GroupArray group,
                 FloatOut out, std::size_t n_threads) {
    require(queries.shape(1) == group.shape(1) && out.shape(0) == queries.shape(0) &&
                out.shape(1) == group.shape(0) && n_threads > 0,
            "shapes do not fit");
    const engine::Scorer scorer(kernels::level_named(level), static_cast<engine::Metric>(metric),
                                queries.shape(1));
    const engine::RowSource source = rows_of(group);
    engine::Outcome outcome;
    {
        const nb::gil_scoped_release released;
        outcome = engine::score_all(scorer, {queries.data(), queries.shape(0)}, source, n_threads,
                                    has_signal, out.data());
    }
    return report(outcome);
}

Report find_nearest(const std::string& level, int metric, QueryArray queries, GroupArray group,
                    IdOut ids, FloatOut distances, std::size_t n_threads) {
    require(queries.shape(1) == group.shape(1) && ids.shape(0) == queries.shape(0) &&
                distances.shape(0) == ids.shape(0) && distances.shape(1) == ids.shape(1) &&
                n_threads > 0,
            "shapes do not fit");
    const engine::Scorer scorer(kernels::level_named(level), static_cast<engine::Metric>(metric),
                                queries.shape(1));
    const engine::RowSource source = rows_of(group);
    const std::size_t k = ids.shape(1);
    const auto take = [&](std::size_t q, const std::vector<engine::Match>& matches) {
        for (std::size_t i = 0; i < matches.size(); ++i) {
            ids.data()[q * k + i] = matches[i].id;
            distances.data()[q * k + i] = matches[i].distance;
        }
    };
    engine::Outcome outcome;
    {
        const nb::gil_scoped_release released;
        outcome = engine::find_nearest(scorer, {queries.data(), queries.shape(0)}, source, {}, k,
                                       n_threads, has_signal, take);
    }
    return report(outcome);
}

using Matches = std::vector<std::tuple<nb::bytes, nb::bytes>>;

// Per query: the int64 ids and the float32 distances, as bytes.
std::tuple<Report, Matches> find_within(const std::string& level, int metric, QueryArray queries,
                                        GroupArray group, float radius, std::size_t n_threads) {
    require(queries.shape(1) == group.shape(1) && n_threads > 0, "shapes do not fit");
    const engine::Scorer scorer(kernels::level_named(level), static_cast<engine::Metric>(metric),
                                queries.shape(1));
    const engine::RowSource source = rows_of(group);
    std::vector<std::vector<engine::Match>> found(queries.shape(0));
    const auto take = [&](std::size_t q, std::vector<engine::Match>&& matches) {
        found[q] = std::move(matches);
    };
    engine::Outcome outcome;
    {
        const nb::gil_scoped_release released;
        outcome = engine::find_within(scorer, {queries.data(), queries.shape(0)}, source, {},
                                      radius, n_threads, has_signal, take);
    }
    const Report ended = report(outcome);
    Matches matches;
    for (const std::vector<engine::Match>& some : found) {
        std::vector<std::int64_t> ids;
        std::vector<float> distances;
        for (const engine::Match& match : some) {
            ids.push_back(match.id);
            distances.push_back(match.distance);
        }
        matches.emplace_back(nb::bytes(ids.data(), ids.size() * sizeof(std::int64_t)),
                             nb::bytes(distances.data(), distances.size() * sizeof(float)));
    }
    return {ended, std::move(matches)};
}

}  // namespace

namespace lookalike::bindings {

engine::RowSource rows_of(const GroupArray& group) {
    const auto bytes = static_cast<std::int64_t>(group.itemsize());
    return engine::RowSource(group.data(), element_type(group.dtype()), group.shape(0),
                             group.shape(1), group.stride(0) * bytes, group.stride(1) * bytes);
}

bool has_signal() {
    const nb::gil_scoped_acquire gil;
    return PyErr_CheckSignals() != 0;
}

}  // namespace lookalike::bindings

NB_MODULE(_compiled, m) {
    m.doc() = "The compiled kernels and scans. Private: use lookalike.kernels and lookalike.";
    m.def("level_names", [] {
        std::vector<std::string> names;
        for (const kernels::KernelTable* level : kernels::all_levels())
            names.push_back(level->name);
        return names;
    });
    m.def("is_usable", [](const std::string& name) {
        for (const kernels::KernelTable* level : kernels::all_levels()) {
            if (name == level->name) return kernels::is_usable(*level);
        }
        return false;
    });
    m.def("scan_gamma", &engine::scan_gamma, nb::arg("dim"));
    m.def("score_all", &score_all, nb::arg("level"), nb::arg("metric"),
          nb::arg("queries").noconvert(), nb::arg("group").noconvert(), nb::arg("out").noconvert(),
          nb::arg("n_threads"));
    m.def("find_nearest", &find_nearest, nb::arg("level"), nb::arg("metric"),
          nb::arg("queries").noconvert(), nb::arg("group").noconvert(), nb::arg("ids").noconvert(),
          nb::arg("distances").noconvert(), nb::arg("n_threads"));
    m.def("find_within", &find_within, nb::arg("level"), nb::arg("metric"),
          nb::arg("queries").noconvert(), nb::arg("group").noconvert(), nb::arg("radius"),
          nb::arg("n_threads"));
    bindings::bind_segment(m);
    bindings::bind_code_builder(m);
}
