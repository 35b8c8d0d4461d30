#include "model/safetensors_file.h"

#include <algorithm>
#include <cstring>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/in_quotes.h"
#include "model/dequantize.h"
#include "model/hf_json.h"

namespace layerboost {
namespace {

struct Placed {
  const std::string* name;
  Tensor tensor;
  std::uint64_t begin, end;  // in the data
};

DType read_dtype(const JsonFields& fields, const std::string& name) {
  const std::string dtype = fields.text("dtype");
  if (dtype == "F32") return DType::f32;
  if (dtype == "F16") return DType::f16;
  if (dtype == "BF16") return DType::bf16;
  fail("{}: tensor {} has the type {}; F32, F16 and BF16 are supported", fields.where(), in_quotes(name),
       in_quotes(dtype));
}

/// The unsigned integers of a list.
std::vector<std::uint64_t> read_list(const JsonFields& fields, const char* key, const std::string& name,
                                     std::size_t longest) {
  const SortedJson* list = fields.find(key);
  const auto bad = [](const SortedJson& value) { return !value.is_number_unsigned(); };
  if (list == nullptr || !list->is_array() || list->size() > longest || std::any_of(list->begin(), list->end(), bad))
    fail("{}: tensor {}: \"{}\" should be a list of at most {} sizes", fields.where(), in_quotes(name), key, longest);
  return list->get<std::vector<std::uint64_t>>();
}

Placed read_entry(const std::string& name, const SortedJson& entry, std::uint64_t data_size, const std::string& where) {
  if (!entry.is_object()) fail("{}: tensor {} should be described by an object", where, in_quotes(name));
  const JsonFields fields(entry, where);
  Placed placed{&name, {}, 0, 0};
  placed.tensor.dtype = read_dtype(fields, name);
  std::uint64_t count = 1;
  for (const std::uint64_t size : read_list(fields, "shape", name, 8)) {
    if (size == 0) fail("{}: tensor {} is empty", where, in_quotes(name));
    if (size > data_size / count) fail("{}: tensor {} is larger than the file", where, in_quotes(name));
    count *= size;
    placed.tensor.shape.push_back(static_cast<std::int64_t>(size));
  }
  const std::vector<std::uint64_t> offsets = read_list(fields, "data_offsets", name, 2);
  if (offsets.size() != 2 || offsets[0] > offsets[1] || offsets[1] > data_size)
    fail("{}: truncated or corrupted: the data of tensor {} lie outside the file", where, in_quotes(name));
  placed.begin = offsets[0];
  placed.end = offsets[1];
  const auto needed = static_cast<std::uint64_t>(stored_bytes(placed.tensor.dtype, static_cast<std::int64_t>(count)));
  if (placed.end - placed.begin != needed) {
    fail("{}: tensor {} has {} bytes of data; its shape and type ask for {}", where, in_quotes(name),
         placed.end - placed.begin, needed);
  }
  return placed;
}

/// The header, parsed, and the data after it.
std::pair<SortedJson, std::span<const std::byte>> split(std::span<const std::byte> bytes, const std::string& where) {
  constexpr std::uint64_t largest_header = 100'000'000;  // as the reference implementation
  std::uint64_t header_size = 0;
  if (bytes.size() < sizeof header_size)
    fail("{}: truncated: {} bytes are not a safetensors file", where, bytes.size());
  std::memcpy(&header_size, bytes.data(), sizeof header_size);
  if (header_size > largest_header || header_size > bytes.size() - sizeof header_size) {
    fail("{}: truncated or not a safetensors file: a header of {} bytes in a file of {}", where, header_size,
         bytes.size());
  }
  const auto header = bytes.subspan(sizeof header_size, header_size);
  const auto data = bytes.subspan(sizeof header_size + header_size);
  SortedJson json =
      parse_object(std::string_view(reinterpret_cast<const char*>(header.data()), header.size()), where + " (header)");
  return {std::move(json), data};
}

}  // namespace

std::map<std::string, Tensor> parse_safetensors(std::span<const std::byte> bytes, const std::string& where) {
  const auto [json, data] = split(bytes, where);

  std::vector<Placed> entries;
  for (const auto& [name, entry] : json.items()) {
    if (name != "__metadata__") entries.push_back(read_entry(name, entry, data.size(), where));
  }
  std::sort(entries.begin(), entries.end(), [](const Placed& a, const Placed& b) { return a.begin < b.begin; });
  std::map<std::string, Tensor> tensors;
  std::uint64_t end = 0;
  for (Placed& placed : entries) {
    if (placed.begin != end)
      fail("{}: corrupted: the data of tensor {} leave a gap or overlap another's", where, in_quotes(*placed.name));
    end = placed.end;
    placed.tensor.data = data.subspan(placed.begin, placed.end - placed.begin);
    tensors.emplace(*placed.name, std::move(placed.tensor));
  }
  if (end != data.size()) fail("{}: corrupted: {} bytes after the last tensor", where, data.size() - end);
  return tensors;
}

std::map<std::string, std::string> parse_safetensors_metadata(std::span<const std::byte> bytes,
                                                              const std::string& where) {
  const auto [json, data] = split(bytes, where);
  std::map<std::string, std::string> metadata;
  const auto found = json.find("__metadata__");
  if (found == json.end()) return metadata;
  if (!found->is_object()) fail("{}: \"__metadata__\" should be an object", where);
  for (const auto& [key, value] : found->items()) {
    if (!value.is_string()) fail("{}: \"__metadata__\": {} should be a text", where, in_quotes(key));
    metadata.emplace(key, value.get<std::string>());
  }
  return metadata;
}

}  // namespace layerboost
