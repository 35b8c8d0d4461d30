// The structure of a GGUF file (versions 2 and 3): metadata and tensors, checked against the file's size, not
// interpreted. Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/checkpoint.h"

namespace layerboost {

/// The numbers are the format's own.
enum class GgufType : std::uint32_t { u8, i8, u16, i16, u32, i32, f32, boolean, string, array, u64, i64, f64 };

/// A metadata value; its bytes stay in the file.
struct GgufValue {
  GgufType type = GgufType::u8;  // of the value, or of each element of an array; never `array`
  bool is_array = false;
  std::uint64_t count = 1;          // elements
  std::span<const std::byte> data;  // the elements; each string begins with its length (u64)
};

class GgufFile {
 public:
  /// Parses `bytes`; `where` (the file's name) begins every message. Throws Error for anything that isn't a well-formed
  /// GGUF file; allocates no more than a small multiple of its size. Requires: `bytes` outlive this and all tensors.
  GgufFile(std::span<const std::byte> bytes, std::string where);

  [[nodiscard]] const std::string& where() const { return where_; }
  /// The tensors by the names that GGUF gives them. Their shapes are outermost first; rope_heads isn't set yet.
  [[nodiscard]] const std::map<std::string, Tensor, std::less<>>& tensors() const { return tensors_; }

  /// The tensors of other types, by name, with the reason why they can't be read ("has the type I32, which ...").
  [[nodiscard]] const std::map<std::string, std::string, std::less<>>& unreadable() const { return unreadable_; }

  /// How many files the model is split into (split.count); 0 or 1: it isn't.
  [[nodiscard]] int parts() const { return integer("split.count", 1); }
  /// Which of them this is, from 0 (split.no). Throws Error for a number beyond the last.
  [[nodiscard]] int part() const;
  /// Takes over the tensors of another part of the same model. Throws Error where one is there already.
  void join(GgufFile&& other);

  [[nodiscard]] bool has(std::string_view key) const { return metadata_.contains(key); }

  // Values of `key`. Without a fallback the key must be there. All throw Error naming file and key for another type;
  // integer() also when the value is outside 0 .. 2^31-1 (as every count and id of a model must be). A list of equal
  // integers, one for each layer, is one integer.
  [[nodiscard]] int integer(std::string_view key) const;
  [[nodiscard]] int integer(std::string_view key, int fallback) const;
  /// A token's id; nothing where the key isn't there, or -1 or 2^32-1, which mean that the model has none.
  [[nodiscard]] std::optional<int> token(std::string_view key) const;
  [[nodiscard]] double number(std::string_view key, double fallback) const;
  [[nodiscard]] bool flag(std::string_view key, bool fallback) const;
  [[nodiscard]] std::string text(std::string_view key) const;
  [[nodiscard]] std::string text(std::string_view key, std::string_view fallback) const;
  [[nodiscard]] std::vector<std::string> texts(std::string_view key) const;
  [[nodiscard]] std::vector<int> integers(std::string_view key) const;
  [[nodiscard]] std::vector<float> numbers(std::string_view key) const;
  /// Booleans, or integers that are 0 where false.
  [[nodiscard]] std::vector<bool> flags(std::string_view key) const;
  [[nodiscard]] bool is_list(std::string_view key) const { return has(key) && value(key).is_array; }

 private:
  [[nodiscard]] const GgufValue& value(std::string_view key) const;
  [[nodiscard]] int element_as_integer(std::string_view key, const GgufValue& value, std::uint64_t index) const;

  std::string where_;
  std::map<std::string, GgufValue, std::less<>> metadata_;
  std::map<std::string, Tensor, std::less<>> tensors_;
  std::map<std::string, std::string, std::less<>> unreadable_;
};

}  // namespace layerboost
