// What the parts of the Python face share: array types, and how an outcome becomes an exception.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <stdexcept>

#include "../engine/row_source.hpp"

namespace lookalike::bindings {

namespace nb = nanobind;

template <class T, std::size_t Rank>
using In = nb::ndarray<const T, nb::ndim<Rank>, nb::c_contig, nb::device::cpu>;
template <class T, std::size_t Rank>
using Out = nb::ndarray<T, nb::ndim<Rank>, nb::c_contig, nb::device::cpu>;
// Rows of any dtype and strides.
using GroupArray = nb::ndarray<nb::ro, nb::ndim<2>, nb::device::cpu>;

// Throws std::invalid_argument for a dtype that the converters do not read.
engine::RowSource rows_of(const GroupArray& group);

// Whether a signal is pending whose handler raised; asked without the GIL.
bool has_signal();

inline void require(bool fits, const char* message) {
    if (!fits) throw std::invalid_argument(message);
}

void bind_segment(nb::module_& m);
void bind_code_builder(nb::module_& m);

}  // namespace lookalike::bindings
