// Checks of numbers that flags take: a wrong one is refused in plain words ("--tokens: must be a positive whole
// number").
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <string_view>

namespace layerboost {

/// A whole number from `least` to `most`; unless given, as large as an int can be.
CLI::Validator whole_number(std::int64_t least, std::int64_t most = std::numeric_limits<int>::max());

/// A whole number from 0 to 2^64 - 1. (CLI11 alone takes -1 as the largest.)
CLI::Validator seed_number();

/// Any finite number.
CLI::Validator number();

/// A number from `least` to `most`; unless given, as large as it likes.
CLI::Validator number(double least, double most = std::numeric_limits<double>::infinity());

/// A number above 0.
CLI::Validator positive_number();

/// A number from 0 to below 1.
CLI::Validator share_below_one();

/// Throws Error for the first of `flags` that was given: "--window REASON". For flags that would change nothing beside
/// the others.
void refuse_given(const CLI::App& command, std::initializer_list<const char*> flags, std::string_view reason);

}  // namespace layerboost
