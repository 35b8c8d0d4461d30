// Reading safetensors files. Format: https://github.com/huggingface/safetensors#format
#pragma once

#include <cstddef>
#include <map>
#include <span>
#include <string>

#include "model/checkpoint.h"

namespace layerboost {

/// The tensors in `bytes` by name. Those that can't be read, being empty or of a type other than F32, F16 and BF16, go
/// into `unreadable`, each with the reason ("has the type ..."). Throws Error, beginning with `where` (the file's
/// name), for such a one where `unreadable` is null, and unless the header is as the format says, at most 100 MB, and
/// the tensors' data fill the rest of the file without gaps or overlaps. Requires: `bytes` outlive the tensors.
std::map<std::string, Tensor> parse_safetensors(std::span<const std::byte> bytes, const std::string& where,
                                                std::map<std::string, std::string>* unreadable = nullptr);

/// The file's "__metadata__", texts by key; empty when it has none. Throws Error as parse_safetensors() for a file
/// without a header, and for values that aren't texts.
std::map<std::string, std::string> parse_safetensors_metadata(std::span<const std::byte> bytes,
                                                              const std::string& where);

}  // namespace layerboost
