// Numbers as people write them on a command line.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "app/boost_healing.h"

namespace layerboost {

/// "10M", "0.5M", "200k", "8192"; at least 1. Throws Error naming `flag`.
std::int64_t parse_count(const std::string& text, const char* flag);
/// "6G", "512M": bytes, in powers of 1024. Throws Error naming `flag`.
std::size_t parse_bytes(const std::string& text, const char* flag);
/// What --heal of `boost` takes: "10M" tokens, "20min", "1.5h", "0". Throws Error.
HealBudget parse_heal_budget(const std::string& text);

}  // namespace layerboost
