// Integers beyond 64 bits, as Python has them, in decimal digits. Templates need few: all of this may be slow, and each
// operation charges the budget for the digits that it goes through.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "jinja/value.h"

namespace layerboost::jinja {

/// Digits that an integer may have; Python writes no more, either.
inline constexpr std::size_t max_digits = 4300;

/// The integer that `decimal` writes: a sign or none, then digits. Throws TemplateError for more than max_digits.
Value integer_of(std::string_view decimal);

/// The integer part of `number`. Requires: it is finite.
Value integer_of(double number);

/// left op right for "+", "-", "*", "/", "//", "%" and "**". Requires: both are integers.
Value calculate_big(std::string_view op, const Value& left, const Value& right);

/// Below 0: a < b; 0: they are equal. Requires: both are integers.
int compare_big(const Value& a, const Value& b);

/// The digits of an integer's amount to a base from 2 to 16, in small letters; without a sign. Requires: it is one.
std::string digits_of(const Value& integer, unsigned base);

}  // namespace layerboost::jinja
