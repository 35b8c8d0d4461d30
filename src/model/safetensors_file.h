// Reading safetensors files. Format: https://github.com/huggingface/safetensors#format
#pragma once

#include <cstddef>
#include <map>
#include <span>
#include <string>

#include "model/checkpoint.h"

namespace layerboost {

/// The tensors in `bytes` by name. Throws Error, beginning with `where` (the file's name), unless the header is as the
/// format says, at most 100 MB, every tensor is F32, F16 or BF16, and their data fill the rest of the file without gaps
/// or overlaps. Requires: `bytes` outlive the tensors.
std::map<std::string, Tensor> parse_safetensors(std::span<const std::byte> bytes, const std::string& where);

/// The file's "__metadata__", texts by key; empty when it has none. Throws Error as parse_safetensors() for a file
/// without a header, and for values that aren't texts.
std::map<std::string, std::string> parse_safetensors_metadata(std::span<const std::byte> bytes,
                                                              const std::string& where);

}  // namespace layerboost
