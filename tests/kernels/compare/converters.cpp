// Elements of every type to float32, correctly rounded.
#include <cfloat>
#include <limits>
#include <type_traits>

#include "compare.hpp"

namespace lookalike::compare {
namespace {

using kernels::ElementType;

float from_half(std::uint16_t half) {
    const int exponent = (half >> 10) & 0x1f, fraction = half & 0x3ff;
    float magnitude = exponent
                          ? std::ldexp(1.0f + static_cast<float>(fraction) / 1024, exponent - 15)
                          : std::ldexp(static_cast<float>(fraction), -24);
    if (exponent == 31) magnitude = fraction ? NAN : INFINITY;
    return half & 0x8000 ? -magnitude : magnitude;
}

// A long double holds any of these exactly, so that there is one rounding.
template <class Element>
float rounded(Element value) {
    return static_cast<float>(static_cast<long double>(value));
}

template <class Element>
Element element(Random& random) {
    if constexpr (std::is_same_v<Element, float>) {
        const float edges[] = {0.0f, -0.0f, 0x1p-149f, FLT_MIN, FLT_MAX, INFINITY, -INFINITY, NAN};
        return random.below(4) ? random.unit() : random.one_of(edges);
    } else if constexpr (std::is_same_v<Element, double>) {
        const double edges[] = {
            0.0,     -0.0,           0x1p-149,        0x1p-150,     0x1.8p-149,
            DBL_MIN, DBL_MAX,        INFINITY,        -INFINITY,    NAN,
            FLT_MAX, 0x1.ffffffp127, 0x1.fffffefp127, 0x1.000001p0, 0x1.000003p0};
        if (random.below(4) == 0) return random.one_of(edges);
        return random.scaled(static_cast<double>(random.bits() >> 11), -210, 90);
    } else {
        using Limits = std::numeric_limits<Element>;
        const Element edges[] = {Limits::min(), Limits::max(), 0, 1, static_cast<Element>(-1)};
        if (random.below(4) == 0) return random.one_of(edges);
        Element value = static_cast<Element>(random.bits() >> random.below(64));
        if constexpr (sizeof value >= 4) {
            // Halfway between two floats, and one beside it: rounding twice would show.
            if (random.below(2)) {
                const int exponent = random.between(25, static_cast<int>(8 * sizeof value) - 2);
                const std::uint64_t step = std::uint64_t{1} << (exponent - 23);
                const std::uint64_t odd = (std::uint64_t{1} << 23) + random.below(1 << 23);
                value = static_cast<Element>(odd * step + step / 2 + random.below(3) - 1);
                if (std::is_signed_v<Element> && random.below(2)) value = -value;
            }
        }
        return value;
    }
}

template <class Element, class Make, class Wanted>
void compare_converter(const kernels::KernelTable& level, ElementType type, const char* name,
                       Report& report, Make make, Wanted wanted) {
    const kernels::Convert convert = level.convert[static_cast<int>(type)];
    for (std::size_t count = 0; count <= 300; count += count < 40 ? 1 : 37) {
        report.about("convert %s, %zu elements", name, count);
        Guarded<Element> source(count);
        Guarded<float> target(count);
        for (std::size_t i = 0; i < count; ++i) source[i] = make();
        convert(source.data(), count, target.data());
        for (std::size_t i = 0; i < count; ++i) {
            report.expect_bits(target[i], wanted(source[i]), i);
        }
    }
}

template <class Element>
void compare_converter(const kernels::KernelTable& level, ElementType type, const char* name,
                       Report& report) {
    Random random;
    compare_converter<Element>(
        level, type, name, report, [&] { return element<Element>(random); }, &rounded<Element>);
}

}  // namespace

void compare_converters(const kernels::KernelTable& level, Report& report) {
    Random random;
    compare_converter<std::uint16_t>(
        level, ElementType::kFloat16, "float16", report,
        [&] { return static_cast<std::uint16_t>(random.bits()); }, &from_half);
    report.about("convert float16, all of them");
    Guarded<std::uint16_t> halves(1 << 16);
    Guarded<float> floats(1 << 16);
    for (std::size_t i = 0; i < halves.size(); ++i) halves[i] = static_cast<std::uint16_t>(i);
    level.convert[static_cast<int>(ElementType::kFloat16)](halves.data(), halves.size(),
                                                           floats.data());
    for (std::size_t i = 0; i < halves.size(); ++i) {
        report.expect_bits(floats[i], from_half(halves[i]), i);
    }
    compare_converter<float>(level, ElementType::kFloat32, "float32", report);
    compare_converter<double>(level, ElementType::kFloat64, "float64", report);
    compare_converter<std::int8_t>(level, ElementType::kInt8, "int8", report);
    compare_converter<std::int16_t>(level, ElementType::kInt16, "int16", report);
    compare_converter<std::int32_t>(level, ElementType::kInt32, "int32", report);
    compare_converter<std::int64_t>(level, ElementType::kInt64, "int64", report);
    compare_converter<std::uint8_t>(level, ElementType::kUInt8, "uint8", report);
    compare_converter<std::uint16_t>(level, ElementType::kUInt16, "uint16", report);
    compare_converter<std::uint32_t>(level, ElementType::kUInt32, "uint32", report);
    compare_converter<std::uint64_t>(level, ElementType::kUInt64, "uint64", report);
}

}  // namespace lookalike::compare
