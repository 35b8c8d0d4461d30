#include "model/safetensors_file.h"

#include <algorithm>
#include <cstring>
#include <optional>
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
  std::string unreadable;    // why the tensor can't be read; empty: it can
};

std::optional<DType> dtype_of(const std::string& name) {
  if (name == "F32") return DType::f32;
  if (name == "F16") return DType::f16;
  if (name == "BF16") return DType::bf16;
  return std::nullopt;
}

/// Bytes of an element of the format's other types; 0: not known here.
std::uint64_t other_element_size(std::string_view type) {
  if (type == "I64" || type == "U64" || type == "F64") return 8;
  if (type == "I32" || type == "U32") return 4;
  if (type == "I16" || type == "U16") return 2;
  return type == "I8" || type == "U8" || type == "BOOL" || type.starts_with("F8_") ? 1 : 0;
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
  Placed placed{&name, {}, 0, 0, {}};
  const std::string type = fields.text("dtype");
  const std::optional<DType> dtype = dtype_of(type);
  if (dtype)
    placed.tensor.dtype = *dtype;
  else
    placed.unreadable = fmt::format("has the type {}; F32, F16 and BF16 are supported", in_quotes(type));
  const std::vector<std::uint64_t> shape = read_list(fields, "shape", name, 8);
  if (std::find(shape.begin(), shape.end(), 0U) != shape.end() && placed.unreadable.empty())
    placed.unreadable = "is empty";
  std::uint64_t count = 1;
  for (const std::uint64_t size : shape) {
    // Types that aren't known here may take less than a byte for an element.
    if (size > 8 * data_size / std::max(count, std::uint64_t{1}) && size > 1)
      fail("{}: tensor {} is larger than the file", where, in_quotes(name));
    count *= size;
    placed.tensor.shape.push_back(static_cast<std::int64_t>(size));
  }
  const std::vector<std::uint64_t> offsets = read_list(fields, "data_offsets", name, 2);
  if (offsets.size() != 2 || offsets[0] > offsets[1] || offsets[1] > data_size)
    fail("{}: truncated or corrupted: the data of tensor {} lie outside the file", where, in_quotes(name));
  placed.begin = offsets[0];
  placed.end = offsets[1];
  const auto element = dtype ? static_cast<std::uint64_t>(block_size(*dtype).bytes) : other_element_size(type);
  const std::uint64_t needed = count * element;
  if (element != 0 && placed.end - placed.begin != needed) {
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
  SortedJson json = parse_object(std::string_view(reinterpret_cast<const char*>(header.data()), header.size()),
                                 where + " (header)", true);
  return {std::move(json), data};
}

}  // namespace

std::map<std::string, Tensor> parse_safetensors(std::span<const std::byte> bytes, const std::string& where,
                                                std::map<std::string, std::string>* unreadable) {
  const auto [json, data] = split(bytes, where);

  std::vector<Placed> entries;
  for (const auto& [name, entry] : json.items()) {
    if (name != "__metadata__") entries.push_back(read_entry(name, entry, data.size(), where));
  }
  std::sort(entries.begin(), entries.end(),
            [](const Placed& a, const Placed& b) { return std::pair(a.begin, a.end) < std::pair(b.begin, b.end); });
  std::map<std::string, Tensor> tensors;
  std::uint64_t end = 0;
  for (Placed& placed : entries) {
    if (placed.begin != end)
      fail("{}: corrupted: the data of tensor {} leave a gap or overlap another's", where, in_quotes(*placed.name));
    end = placed.end;
    if (!placed.unreadable.empty()) {
      if (unreadable == nullptr) fail("{}: tensor {} {}", where, in_quotes(*placed.name), placed.unreadable);
      unreadable->emplace(*placed.name, placed.unreadable);
      continue;
    }
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
