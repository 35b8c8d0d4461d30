#include "model/gguf_file.h"

#include <algorithm>

#include "base/error.h"
#include "base/in_quotes.h"
#include "model/gguf_parser.h"

namespace layerboost {
namespace {

template <typename T>
T load(const std::byte* p) {
  T value;
  std::memcpy(&value, p, sizeof value);
  return value;
}

[[noreturn]] void wrong_type(const std::string& where, std::string_view key, const char* expected) {
  fail("{}: metadata {} should be {}", where, in_quotes(key), expected);
}

}  // namespace

GgufFile::GgufFile(std::span<const std::byte> bytes, std::string where) : where_(std::move(where)) {
  parse_gguf(bytes, where_, metadata_, tensors_, unreadable_);
}

int GgufFile::part() const {
  const int number = integer("split.no", 0), count = std::max(parts(), 1);
  if (number >= count) fail("{}: metadata \"split.no\" is {} in a model of {} parts", where_, number, count);
  return number;
}

void GgufFile::join(GgufFile&& other) {
  for (auto& [name, tensor] : other.tensors_) {
    if (!tensors_.try_emplace(name, std::move(tensor)).second || unreadable_.contains(name))
      fail("{}: tensor {} is in another part of the model, too", other.where_, in_quotes(name));
  }
  for (auto& [name, why] : other.unreadable_) {
    if (!unreadable_.try_emplace(name, std::move(why)).second || tensors_.contains(name))
      fail("{}: tensor {} is in another part of the model, too", other.where_, in_quotes(name));
  }
}

const GgufValue& GgufFile::value(std::string_view key) const {
  const auto it = metadata_.find(key);
  if (it == metadata_.end()) fail("{}: missing metadata {}", where_, in_quotes(key));
  return it->second;
}

int GgufFile::element_as_integer(std::string_view key, const GgufValue& value, std::uint64_t index) const {
  const auto in_range = [&](auto number) {
    if (!std::in_range<int>(number) || number < 0)
      fail("{}: metadata {} is {}, outside 0 .. 2^31-1", where_, in_quotes(key), number);
    return static_cast<int>(number);
  };
  const std::byte* const p = value.data.data() + index * gguf_scalar_size(value.type);
  switch (value.type) {
    case GgufType::u8:
      return in_range(load<std::uint8_t>(p) + 0U);
    case GgufType::i8:
      return in_range(load<std::int8_t>(p) + 0);
    case GgufType::u16:
      return in_range(load<std::uint16_t>(p));
    case GgufType::i16:
      return in_range(load<std::int16_t>(p));
    case GgufType::u32:
      return in_range(load<std::uint32_t>(p));
    case GgufType::i32:
      return in_range(load<std::int32_t>(p));
    case GgufType::u64:
      return in_range(load<std::uint64_t>(p));
    case GgufType::i64:
      return in_range(load<std::int64_t>(p));
    default:
      wrong_type(where_, key, value.is_array ? "an array of integers" : "an integer");
  }
}

int GgufFile::integer(std::string_view key) const {
  const GgufValue& v = value(key);
  constexpr const char* expected = "one integer (other values for each layer are not supported)";
  if (v.count == 0) wrong_type(where_, key, expected);
  const int first = element_as_integer(key, v, 0);
  for (std::uint64_t i = 1; i < v.count; ++i)
    if (element_as_integer(key, v, i) != first) wrong_type(where_, key, expected);
  return first;
}

std::optional<int> GgufFile::token(std::string_view key) const {
  if (!has(key)) return std::nullopt;
  const GgufValue& v = value(key);
  if (!v.is_array) {
    const std::byte* const p = v.data.data();
    const bool none = (v.type == GgufType::u32 && load<std::uint32_t>(p) == UINT32_MAX) ||
                      (v.type == GgufType::u64 && load<std::uint64_t>(p) == UINT32_MAX) ||
                      (v.type == GgufType::u64 && load<std::uint64_t>(p) == UINT64_MAX) ||
                      (v.type == GgufType::i8 && load<std::int8_t>(p) == -1) ||
                      (v.type == GgufType::i16 && load<std::int16_t>(p) == -1) ||
                      (v.type == GgufType::i32 && load<std::int32_t>(p) == -1) ||
                      (v.type == GgufType::i64 && load<std::int64_t>(p) == -1) ||
                      (v.type == GgufType::i64 && load<std::int64_t>(p) == UINT32_MAX);
    if (none) return std::nullopt;
  }
  return integer(key);
}

int GgufFile::integer(std::string_view key, int fallback) const { return has(key) ? integer(key) : fallback; }

double GgufFile::number(std::string_view key, double fallback) const {
  if (!has(key)) return fallback;
  const GgufValue& v = value(key);
  if (v.is_array) wrong_type(where_, key, "one number");
  if (v.type == GgufType::f32) return load<float>(v.data.data());
  if (v.type == GgufType::f64) return load<double>(v.data.data());
  if (v.type == GgufType::i32) return load<std::int32_t>(v.data.data());  // may be negative
  return element_as_integer(key, v, 0);
}

bool GgufFile::flag(std::string_view key, bool fallback) const {
  if (!has(key)) return fallback;
  const GgufValue& v = value(key);
  if (v.is_array || v.type != GgufType::boolean) wrong_type(where_, key, "a boolean");
  return v.data[0] != std::byte{0};
}

std::string GgufFile::text(std::string_view key) const {
  const GgufValue& v = value(key);
  if (v.is_array || v.type != GgufType::string) wrong_type(where_, key, "a string");
  return std::string(reinterpret_cast<const char*>(v.data.data()) + 8, v.data.size() - 8);
}

std::string GgufFile::text(std::string_view key, std::string_view fallback) const {
  return has(key) ? text(key) : std::string(fallback);
}

std::vector<std::string> GgufFile::texts(std::string_view key) const {
  const GgufValue& v = value(key);
  if (!v.is_array || v.type != GgufType::string) wrong_type(where_, key, "an array of strings");
  std::vector<std::string> result;
  result.reserve(v.count);
  const std::byte* p = v.data.data();
  for (std::uint64_t i = 0; i < v.count; ++i) {
    const auto length = load<std::uint64_t>(p);
    result.emplace_back(reinterpret_cast<const char*>(p) + 8, length);
    p += 8 + length;
  }
  return result;
}

std::vector<int> GgufFile::integers(std::string_view key) const {
  const GgufValue& v = value(key);
  if (!v.is_array) wrong_type(where_, key, "an array of integers");
  std::vector<int> result;
  result.reserve(v.count);
  for (std::uint64_t i = 0; i < v.count; ++i) result.push_back(element_as_integer(key, v, i));
  return result;
}

std::vector<float> GgufFile::numbers(std::string_view key) const {
  const GgufValue& v = value(key);
  if (!v.is_array || v.type != GgufType::f32) wrong_type(where_, key, "an array of numbers in F32");
  std::vector<float> result(v.count);
  for (std::size_t i = 0; i < result.size(); ++i) result[i] = load<float>(v.data.data() + i * sizeof(float));
  return result;
}

std::vector<bool> GgufFile::flags(std::string_view key) const {
  const GgufValue& v = value(key);
  if (!v.is_array) wrong_type(where_, key, "an array of booleans");
  std::vector<bool> result;
  result.reserve(v.count);
  for (std::uint64_t i = 0; i < v.count; ++i)
    result.push_back(v.type == GgufType::boolean ? v.data[i] != std::byte{0} : element_as_integer(key, v, i) != 0);
  return result;
}

}  // namespace layerboost
