// From the bytes of a GGUF file to its metadata and tensors; what GgufFile's constructor does.
#pragma once

#include <cstring>
#include <utility>

#include "model/gguf_file.h"

namespace layerboost {

/// Bytes of one value of `type`; 0 for strings.
std::uint64_t gguf_scalar_size(GgufType type);

/// Fills `metadata`, `tensors`, and `unreadable` with the reasons why other tensors can't be read. Throws Error,
/// beginning with `where`, for whatever is not well-formed: see GgufFile.
void parse_gguf(std::span<const std::byte> bytes, const std::string& where,
                std::map<std::string, GgufValue, std::less<>>& metadata,
                std::map<std::string, Tensor, std::less<>>& tensors,
                std::map<std::string, std::string, std::less<>>& unreadable);

}  // namespace layerboost
