// Segments of an index: rows with or without codes, searched with the GIL released.
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <optional>
#include <string>
#include <tuple>
#include <type_traits>
#include <vector>

#include "../engine/error_bounds.hpp"
#include "../engine/segment.hpp"
#include "../kernels/dispatch.hpp"
#include "arrays.hpp"

namespace lookalike::bindings {
namespace {

using Bytes = In<std::uint8_t, 1>;
using Floats = In<float, 1>;
using Numbers = In<std::uint32_t, 1>;
using Keys = In<std::int64_t, 1>;
using Mask = In<std::uint8_t, 1>;
// (checksum of each block, whether it has been verified)
using Guard = std::tuple<Numbers, Out<std::uint8_t, 1>>;
// (first bad row, -1 for none or -2 for a query that is not finite; is damaged, rows scored, bytes
// read, skipped by level)
using Report =
    std::tuple<std::int64_t, bool, std::uint64_t, std::uint64_t, std::vector<std::uint64_t>>;

constexpr std::int64_t kBadQuery = -2;

// A sum of zeros is NaN as soon as one value is not finite.
bool are_finite(const In<float, 2>& queries) noexcept {
    const float* values = queries.data();
    const std::size_t count = queries.shape(0) * queries.shape(1);
    float lanes[16] = {};
    std::size_t i = 0;
    for (; i + 16 <= count; i += 16) {
        for (std::size_t j = 0; j < 16; ++j) lanes[j] += values[i + j] * 0.0f;
    }
    for (; i < count; ++i) lanes[0] += values[i] * 0.0f;
    float sum = 0.0f;
    for (const float lane : lanes) sum += lane;
    return sum == 0.0f;
}

// What a segment is made from. Arrays are borrowed: the object keeps them alive.
class PySegment {
 public:
    PySegment(GroupArray rows, int metric, std::optional<Keys> keys, std::optional<nb::dict> codes,
              std::optional<Guard> rows_guard, std::optional<std::vector<Guard>> level_guards)
        : rows_(std::move(rows)), keys_(std::move(keys)) {
        const engine::RowSource source = rows_of(rows_);
        require(source.count() < 0xffffffffu, "a segment holds fewer than 2^32 rows");
        require(!keys_ || keys_->shape(0) == source.count(), "one key a row");
        std::optional<engine::CodeStore> store;
        if (codes) store = read_codes(*codes, source, static_cast<engine::Metric>(metric));
        engine::SegmentGuards guards;
        if (rows_guard) {
            guards.rows = guard_of(*rows_guard, rows_.data(), source.count() * source.row_bytes());
        }
        if (level_guards && store) {
            require(level_guards->size() == store->levels.size(), "one guard a level");
            for (std::size_t l = 0; l < store->levels.size(); ++l) {
                guards.levels.push_back(
                    guard_of((*level_guards)[l], level_codes_[l].data(), level_codes_[l].shape(0)));
            }
        }
        segment_.emplace(source, static_cast<engine::Metric>(metric), std::move(store),
                         std::move(guards));
    }

    Report nearest(const std::string& level, In<float, 2> queries, Out<std::int64_t, 2> found_rows,
                   Out<float, 2> distances, std::optional<Mask> allowed,
                   std::optional<Floats> limits, std::size_t n_threads) const {
        const std::size_t k = distances.shape(1);
        check(queries, allowed, n_threads);
        require(distances.shape(0) == queries.shape(0) && found_rows.shape(0) == queries.shape(0) &&
                    found_rows.shape(1) == k && k > 0,
                "shapes do not fit");
        require(!limits || limits->shape(0) == queries.shape(0), "one limit a query");
        std::int64_t* const rows = found_rows.data();
        float* const out = distances.data();
        const auto take = [&](std::size_t q, std::vector<engine::Match>&& matches) {
            for (std::size_t i = 0; i < matches.size(); ++i) {
                rows[q * k + i] = matches[i].row;
                out[q * k + i] = matches[i].distance;
            }
        };
        const engine::Selection selection = select(allowed, limits ? limits->data() : nullptr);
        const kernels::KernelTable& table = kernels::level_named(level);
        engine::SegmentOutcome outcome;
        bool is_finite = true;
        {
            const nb::gil_scoped_release released;
            std::fill_n(rows, queries.shape(0) * k, std::int64_t{-1});
            std::fill_n(out, queries.shape(0) * k, std::numeric_limits<float>::infinity());
            is_finite = are_finite(queries);
            if (is_finite) {
                outcome = segment_->find_nearest(table, {queries.data(), queries.shape(0)},
                                                 selection, k, n_threads, has_signal, take);
            }
        }
        if (!is_finite) return {kBadQuery, false, 0, 0, {}};
        return report(std::move(outcome));
    }

    std::vector<double> lower_bounds(const std::string& level, In<float, 1> query,
                                     std::size_t code_level) const {
        require(query.shape(0) == segment_->rows().dim(), "shapes do not fit");
        return segment_->lower_bounds(kernels::level_named(level), query.data(), code_level);
    }

    std::tuple<Report, std::vector<std::tuple<nb::bytes, nb::bytes>>> within(
        const std::string& level, In<float, 2> queries, float radius, std::optional<Mask> allowed,
        std::size_t n_threads) const {
        check(queries, allowed, n_threads);
        std::vector<std::vector<engine::Match>> found(queries.shape(0));
        const auto take = [&](std::size_t q, std::vector<engine::Match>&& matches) {
            found[q] = std::move(matches);
        };
        const engine::Selection selection = select(allowed, nullptr);
        const kernels::KernelTable& table = kernels::level_named(level);
        engine::SegmentOutcome outcome;
        {
            const nb::gil_scoped_release released;
            outcome = segment_->find_within(table, {queries.data(), queries.shape(0)}, selection,
                                            radius, n_threads, has_signal, take);
        }
        Report ended = report(std::move(outcome));
        std::vector<std::tuple<nb::bytes, nb::bytes>> answers;
        for (const std::vector<engine::Match>& some : found) {
            std::vector<std::int64_t> rows;
            std::vector<float> distances;
            for (const engine::Match& match : some) {
                rows.push_back(match.row);
                distances.push_back(match.distance);
            }
            answers.emplace_back(nb::bytes(rows.data(), rows.size() * sizeof(std::int64_t)),
                                 nb::bytes(distances.data(), distances.size() * sizeof(float)));
        }
        return {std::move(ended), std::move(answers)};
    }

 private:
    static engine::BlockGuard guard_of(const Guard& guard, const void* base, std::size_t bytes) {
        const auto& [checksums, verified] = guard;
        const std::size_t blocks = (bytes + engine::kGuardedBytes - 1) / engine::kGuardedBytes;
        require(checksums.shape(0) == blocks && verified.shape(0) == blocks,
                "one checksum a block");
        return {base, bytes, checksums.data(), verified.data()};
    }

    // An array of codes, which this object keeps alive.
    template <class Array>
    Array hold(const nb::dict& codes, const char* name, std::size_t least) {
        Array array;
        require(codes.contains(name) && nb::try_cast<Array>(codes[name], array, false) &&
                    array.shape(0) >= least,
                name);
        held_.append(codes[name]);
        return array;
    }

    template <class Value>
    static Value number(const nb::dict& codes, const char* name) {
        Value value{};
        require(codes.contains(name) && nb::try_cast<Value>(codes[name], value), name);
        if constexpr (std::is_floating_point_v<Value>) require(std::isfinite(value), name);
        return value;
    }

    engine::CodeStore read_codes(const nb::dict& codes, const engine::RowSource& source,
                                 engine::Metric metric) {
        using kernels::kBlockRows;
        engine::CodeStore store;
        const engine::Family family = engine::family_of(metric);
        const bool is_manhattan = family == engine::Family::kManhattan;
        store.dim = source.dim();
        store.n = number<std::size_t>(codes, "n");
        const auto order = hold<Numbers>(codes, "order", store.n);
        for (std::size_t i = 0; i < store.n; ++i) {
            require(order.data()[i] < source.count(), "order points outside the rows");
        }
        store.order = order.data();
        store.n_chunks = (store.n + engine::kChunkRows - 1) / engine::kChunkRows;
        const std::size_t blocks = (store.n + kBlockRows - 1) / kBlockRows;
        const std::size_t centre_blocks = (store.n_chunks + kBlockRows - 1) / kBlockRows;
        const std::size_t floats = is_manhattan ? 1 : 2;
        std::size_t next = 0;
        for (const nb::dict& level : number<std::vector<nb::dict>>(codes, "levels")) {
            engine::CodeLevel to{};
            to.width = number<std::size_t>(level, "width");
            to.first = number<std::size_t>(level, "first");
            to.dims = number<std::size_t>(level, "dims");
            to.row_bytes = number<std::size_t>(level, "row_bytes");
            to.step = number<double>(level, "step");
            to.tail_epsilon = number<double>(level, "tail_epsilon");
            to.largest = number<double>(level, "largest");
            to.group_size = number<std::size_t>(level, "group_size");
            const bool is_head = store.levels.empty();
            require(to.dims <= to.width && to.dims > 0 && to.step >= engine::kSmallestStep &&
                        to.width <= 2048 && to.row_bytes <= 4096,
                    "a level that cannot be");
            require(is_manhattan || to.first == next, "levels with a gap");
            next += to.dims;
            require(is_head ? to.width % (is_manhattan ? 8 : 4) == 0
                    : is_manhattan
                        ? to.row_bytes % 64 == 0 && to.width + sizeof(float) <= to.row_bytes
                        : to.width == kernels::kLineCodes && to.row_bytes == kernels::kLineBytes,
                    "a level of another shape");
            const std::size_t bytes =
                is_head ? blocks * kBlockRows * (to.width + floats * sizeof(float))
                        : store.n * to.row_bytes;
            const auto values = hold<Bytes>(level, "codes", bytes);
            to.codes = values.data();
            level_codes_.push_back(values);
            if (is_manhattan) {
                require(to.group_size > 0 && to.dims * to.group_size >= store.dim, "short sums");
                to.offsets = hold<Floats>(level, "offsets", to.dims).data();
            }
            store.levels.push_back(to);
        }
        require(!store.levels.empty(), "no levels");
        const engine::CodeLevel& head = store.levels[0];
        store.centres =
            hold<Bytes>(codes, "centres",
                        centre_blocks * kBlockRows * (head.width + floats * sizeof(float)))
                .data();
        store.unit = number<double>(codes, "unit");
        require(store.unit > 0.0, "unit");
        store.largest_row = number<double>(codes, "largest_row");
        const auto uncoded = hold<Numbers>(codes, "uncoded", 0);
        const auto zeros = hold<Numbers>(codes, "zeros", 0);
        for (const Numbers& some : {uncoded, zeros}) {
            for (std::size_t i = 0; i < some.shape(0); ++i) {
                require(some.data()[i] < source.count(), "a row outside the rows");
            }
        }
        store.uncoded = uncoded.data();
        store.n_uncoded = uncoded.shape(0);
        zeros_.assign(zeros.data(), zeros.data() + zeros.shape(0));
        std::sort(zeros_.begin(), zeros_.end(), [&](std::uint32_t a, std::uint32_t b) {
            return keys_ ? keys_->data()[a] < keys_->data()[b] : a < b;
        });
        store.zeros = zeros_.data();
        store.n_zeros = zeros_.size();
        if (!is_manhattan) read_projection(codes, store);
        return store;
    }

    void read_projection(const nb::dict& codes, engine::CodeStore& store) {
        store.radii = hold<Floats>(codes, "radii", store.n_chunks).data();
        store.lowest_tails = hold<Floats>(codes, "lowest_tails", store.n_chunks).data();
        store.highest_tails = hold<Floats>(codes, "highest_tails", store.n_chunks).data();
        store.mean = hold<Floats>(codes, "mean", store.dim).data();
        store.epsilon = number<double>(codes, "epsilon");
        store.kappa = number<double>(codes, "kappa");
        store.largest_norm = number<double>(codes, "largest_norm");
        store.mean_norm = number<double>(codes, "mean_norm");
        require(store.epsilon > 0.0 && store.epsilon < 1.0 && store.kappa >= 0.0, "epsilon, kappa");
        const engine::CodeLevel& last = store.levels.back();
        const std::size_t values = last.first + last.dims;
        if (!codes.contains("projection") || codes["projection"].is_none()) {
            require(values <= store.dim, "more values than dimensions");
            return;
        }
        const auto projection = hold<In<std::int16_t, 2>>(codes, "projection", values);
        store.projection_width = projection.shape(1);
        store.projection_scale = number<double>(codes, "projection_scale");
        require(store.projection_width >= store.dim &&
                    store.projection_width % kernels::kProjectStep == 0 &&
                    store.projection_scale > 0.0,
                "a projection of another dimension");
        store.projection = projection.data();
    }

    void check(const In<float, 2>& queries, const std::optional<Mask>& allowed,
               std::size_t n_threads) const {
        require(queries.shape(1) == segment_->rows().dim() && n_threads > 0, "shapes do not fit");
        require(!allowed || allowed->shape(0) == segment_->rows().count(), "one byte a row");
    }

    engine::Selection select(const std::optional<Mask>& allowed, const float* limits) const {
        return {allowed ? allowed->data() : nullptr, keys_ ? keys_->data() : nullptr, limits};
    }

    static Report report(engine::SegmentOutcome&& outcome) {
        if (!outcome.is_complete) throw nb::python_error();  // the signal's exception is set
        const std::int64_t bad =
            outcome.bad_row == engine::kNoRow ? -1 : static_cast<std::int64_t>(outcome.bad_row);
        return {bad, outcome.is_damaged, outcome.cost.rows_scored, outcome.cost.bytes_read,
                std::move(outcome.cost.skipped)};
    }

    GroupArray rows_;
    std::optional<Keys> keys_;
    nb::list held_;
    std::vector<std::uint32_t> zeros_;  // by key
    std::vector<Bytes> level_codes_;
    std::optional<engine::Segment> segment_;
};

}  // namespace

void bind_segment(nb::module_& m) {
    nb::class_<PySegment>(m, "Segment", "Rows with or without codes, ready to be searched.")
        .def(nb::init<GroupArray, int, std::optional<Keys>, std::optional<nb::dict>,
                      std::optional<Guard>, std::optional<std::vector<Guard>>>(),
             nb::arg("rows").noconvert(), nb::arg("metric"), nb::arg("keys").none(),
             nb::arg("codes").none(), nb::arg("rows_guard").none() = nb::none(),
             nb::arg("level_guards").none() = nb::none())
        .def("nearest", &PySegment::nearest, nb::arg("level"), nb::arg("queries").noconvert(),
             nb::arg("rows").noconvert(), nb::arg("distances").noconvert(),
             nb::arg("allowed").none(), nb::arg("limits").none(), nb::arg("n_threads"))
        .def("lower_bounds", &PySegment::lower_bounds, nb::arg("level"),
             nb::arg("query").noconvert(), nb::arg("code_level"))
        .def("within", &PySegment::within, nb::arg("level"), nb::arg("queries").noconvert(),
             nb::arg("radius"), nb::arg("allowed").none(), nb::arg("n_threads"));
}

}  // namespace lookalike::bindings
