// Rows of any element type to float32, once for all levels; `Lanes::half_to_float` differs.
// Every conversion is the correctly rounded one, as NumPy's astype.

template <class Element>
void convert_from(const void* source, std::size_t count, float* target) noexcept {
    const Element* elements = static_cast<const Element*>(source);
    for (std::size_t i = 0; i < count; ++i) target[i] = static_cast<float>(elements[i]);
}

void convert_from_half(const void* source, std::size_t count, float* target) noexcept {
    Lanes::half_to_float(static_cast<const std::uint16_t*>(source), count, target);
}

// In the order of ElementType.
#define LOOKALIKE_CONVERTERS                                                                  \
    {&convert_from_half,           &convert_from<float>,        &convert_from<double>,        \
     &convert_from<std::int8_t>,   &convert_from<std::int16_t>, &convert_from<std::int32_t>,  \
     &convert_from<std::int64_t>,  &convert_from<std::uint8_t>, &convert_from<std::uint16_t>, \
     &convert_from<std::uint32_t>, &convert_from<std::uint64_t>}
