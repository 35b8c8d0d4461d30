#include "model/gguf_parser.h"

#include <algorithm>
#include <bit>
#include <optional>

#include "base/error.h"
#include "base/in_quotes.h"
#include "model/dequantize.h"

namespace layerboost {
namespace {

/// Reads forward through the file and never past its end.
class Cursor {
 public:
  Cursor(std::span<const std::byte> bytes, const std::string& where) : bytes_(bytes), where_(where) {}

  [[nodiscard]] std::uint64_t position() const { return position_; }
  [[nodiscard]] std::uint64_t left() const { return bytes_.size() - position_; }

  std::span<const std::byte> take(std::uint64_t size, const char* what) {
    if (size > left())
      fail("{}: truncated or corrupted: {} at byte {} needs {} bytes, {} are left", where_, what, position_, size,
           left());
    const auto result = bytes_.subspan(position_, size);
    position_ += size;
    return result;
  }

  template <typename T>
  T read(const char* what) {
    T value;
    std::memcpy(&value, take(sizeof value, what).data(), sizeof value);
    return value;
  }

  std::string_view text(const char* what) {
    const auto data = take(read<std::uint64_t>(what), what);
    return {reinterpret_cast<const char*>(data.data()), data.size()};
  }

  /// A number of things that each need at least `least` bytes.
  std::uint64_t count(std::uint64_t least, const char* what) {
    const auto value = read<std::uint64_t>(what);
    if (value > bytes_.size() / least)
      fail("{}: corrupted: {} {} in a file of {} bytes", where_, value, what, bytes_.size());
    return value;
  }

 private:
  std::span<const std::byte> bytes_;
  const std::string& where_;
  std::uint64_t position_ = 0;
};

GgufType read_type(Cursor& cursor, const std::string& where, std::string_view key) {
  const auto type = cursor.read<std::uint32_t>("a metadata type");
  if (type > static_cast<std::uint32_t>(GgufType::f64))
    fail("{}: metadata {} has the unknown type {}", where, in_quotes(key), type);
  return static_cast<GgufType>(type);
}

GgufValue read_value(Cursor& cursor, std::span<const std::byte> bytes, const std::string& where, std::string_view key) {
  GgufValue value;
  value.type = read_type(cursor, where, key);
  if (value.type == GgufType::array) {
    value.is_array = true;
    value.type = read_type(cursor, where, key);
    if (value.type == GgufType::array)
      fail("{}: metadata {} is an array of arrays, which is not supported", where, in_quotes(key));
    const std::uint64_t size = gguf_scalar_size(value.type);
    value.count = cursor.count(size == 0 ? 8 : size, "array elements");
  }
  const std::uint64_t begin = cursor.position();
  if (value.type == GgufType::string) {
    for (std::uint64_t i = 0; i < value.count; ++i) cursor.text("a string");
  } else {
    cursor.take(value.count * gguf_scalar_size(value.type), "a metadata value");
  }
  value.data = bytes.subspan(begin, cursor.position() - begin);
  return value;
}

/// A type of ggml's: its number in files, its name, and what reads it.
struct GgmlType {
  std::uint32_t number;
  std::string_view name;
  std::optional<DType> dtype = std::nullopt;
};

constexpr GgmlType ggml_types[] = {
    {0, "F32", DType::f32},
    {1, "F16", DType::f16},
    {2, "Q4_0", DType::q4_0},
    {3, "Q4_1", DType::q4_1},
    {6, "Q5_0", DType::q5_0},
    {7, "Q5_1", DType::q5_1},
    {8, "Q8_0", DType::q8_0},
    {10, "Q2_K", DType::q2_k},
    {11, "Q3_K", DType::q3_k},
    {12, "Q4_K", DType::q4_k},
    {13, "Q5_K", DType::q5_k},
    {14, "Q6_K", DType::q6_k},
    {16, "IQ2_XXS", DType::iq2_xxs},
    {17, "IQ2_XS", DType::iq2_xs},
    {18, "IQ3_XXS", DType::iq3_xxs},
    {19, "IQ1_S", DType::iq1_s},
    {20, "IQ4_NL", DType::iq4_nl},
    {21, "IQ3_S", DType::iq3_s},
    {22, "IQ2_S", DType::iq2_s},
    {23, "IQ4_XS", DType::iq4_xs},
    {29, "IQ1_M", DType::iq1_m},
    {30, "BF16", DType::bf16},
    {34, "TQ1_0", DType::tq1_0},
    {35, "TQ2_0", DType::tq2_0},
    {39, "MXFP4", DType::mxfp4},
    {4, "Q4_2"},  // ggml has dropped this one and the next, 31 to 33 and 36 to 38
    {5, "Q4_3"},
    {9, "Q8_1"},
    {15, "Q8_K"},
    {24, "I8"},
    {25, "I16"},
    {26, "I32"},
    {27, "I64"},
    {28, "F64"},
    {31, "Q4_0_4_4"},
    {32, "Q4_0_4_8"},
    {33, "Q4_0_8_8"},
    {36, "IQ4_NL_4_4"},
    {37, "IQ4_NL_4_8"},
    {38, "IQ4_NL_8_8"},
    {40, "NVFP4"},
    {41, "Q1_0"},
    {42, "Q2_0"},
};

const GgmlType* find_type(std::uint32_t number) {
  const auto* const found = std::find_if(std::begin(ggml_types), std::end(ggml_types),
                                         [&](const GgmlType& type) { return type.number == number; });
  return found == std::end(ggml_types) ? nullptr : found;
}

/// Why a tensor of this type can't be read. Short, for a file may have very many.
std::string why_unreadable(const GgmlType* type, std::uint32_t number) {
  return fmt::format("has the type {}, which is not supported; quantise the model to another, such as Q8_0 or Q4_K",
                     type == nullptr ? fmt::format("{} of ggml's", number) : std::string(type->name));
}

struct TensorInfo {
  std::string name;
  Tensor tensor;
  std::uint64_t offset = 0;  // from the beginning of the data
  std::uint64_t size = 0;    // bytes
  std::string unreadable;    // why it can't be read; empty: it can
};

TensorInfo read_tensor_info(Cursor& cursor, const std::string& where, std::uint64_t file_size) {
  TensorInfo info;
  info.name = cursor.text("a tensor's name");
  const auto dims = cursor.read<std::uint32_t>("a tensor's number of dimensions");
  if (dims < 1 || dims > 4)
    fail("{}: tensor {} has {} dimensions; 1 to 4 are possible", where, in_quotes(info.name), dims);
  std::uint64_t count = 1;
  for (std::uint32_t i = 0; i < dims; ++i) {
    const auto size = cursor.read<std::uint64_t>("a tensor's dimension");
    // No type packs more than 8 weights into a byte, so a larger count cannot be in the file; this also keeps products
    // small.
    if (size == 0 || size > 8 * file_size / count)
      fail("{}: corrupted: tensor {} has a dimension of {} in a file of {} bytes", where, in_quotes(info.name), size,
           file_size);
    count *= size;
    info.tensor.shape.insert(info.tensor.shape.begin(), static_cast<std::int64_t>(size));
  }
  const auto type = cursor.read<std::uint32_t>("a tensor's type");
  info.offset = cursor.read<std::uint64_t>("a tensor's offset");
  const GgmlType* const known = find_type(type);
  if (known == nullptr || !known->dtype) {
    info.unreadable = why_unreadable(known, type);
    return info;
  }
  const DType dtype = *known->dtype;
  info.tensor.dtype = dtype;
  if (const int block = block_size(dtype).elements; info.tensor.cols() % block != 0) {
    fail("{}: tensor {} has rows of {}, not a multiple of {} as {} needs", where, in_quotes(info.name),
         info.tensor.cols(), block, name_of(dtype));
  }
  info.size = static_cast<std::uint64_t>(stored_bytes(dtype, static_cast<std::int64_t>(count)));
  return info;
}

/// Points the tensors at their data and refuses those that lie outside the file, badly aligned or over one another.
/// (One that can't be read has no size here.)
void place_tensors(std::vector<TensorInfo>& infos, std::span<const std::byte> data, std::uint64_t alignment,
                   const std::string& where) {
  std::sort(infos.begin(), infos.end(), [](const TensorInfo& a, const TensorInfo& b) { return a.offset < b.offset; });
  std::uint64_t end = 0;
  for (TensorInfo& info : infos) {
    if (info.offset % alignment != 0)
      fail("{}: corrupted: tensor {} is not aligned to {} bytes", where, in_quotes(info.name), alignment);
    if (info.offset < end) fail("{}: corrupted: tensor {} overlaps another", where, in_quotes(info.name));
    if (info.offset > data.size() || info.size > data.size() - info.offset)
      fail("{}: truncated or corrupted: the data of tensor {} end outside the file", where, in_quotes(info.name));
    info.tensor.data = data.subspan(info.offset, info.size);
    end = info.offset + info.size;
  }
}

std::uint64_t alignment_of(const std::map<std::string, GgufValue, std::less<>>& metadata, const std::string& where) {
  const auto it = metadata.find("general.alignment");
  if (it == metadata.end()) return 32;
  std::uint32_t alignment = 0;
  if (!it->second.is_array && it->second.type == GgufType::u32)
    std::memcpy(&alignment, it->second.data.data(), sizeof alignment);
  if (!std::has_single_bit(alignment)) fail("{}: metadata \"general.alignment\" should be a power of two (u32)", where);
  return alignment;
}

}  // namespace

std::uint64_t gguf_scalar_size(GgufType type) {
  switch (type) {
    case GgufType::u8:
    case GgufType::i8:
    case GgufType::boolean:
      return 1;
    case GgufType::u16:
    case GgufType::i16:
      return 2;
    case GgufType::u32:
    case GgufType::i32:
    case GgufType::f32:
      return 4;
    case GgufType::u64:
    case GgufType::i64:
    case GgufType::f64:
      return 8;
    case GgufType::string:
    case GgufType::array:
      return 0;
  }
  LB_CHECK(false && "a GgufType");
}

void parse_gguf(std::span<const std::byte> bytes, const std::string& where,
                std::map<std::string, GgufValue, std::less<>>& metadata,
                std::map<std::string, Tensor, std::less<>>& tensors,
                std::map<std::string, std::string, std::less<>>& unreadable) {
  constexpr std::uint32_t magic = 0x46554747;  // "GGUF"
  Cursor cursor(bytes, where);
  if (bytes.size() < 4 || cursor.read<std::uint32_t>("the magic") != magic)
    fail("{}: not a GGUF file; a model is one, or a folder with config.json and *.safetensors", where);
  const auto version = cursor.read<std::uint32_t>("the version");
  if (version != 2 && version != 3) {
    fail("{}: {}; versions 2 and 3 are supported", where,
         (version & 0xffffU) == 0 ? std::string("a big-endian GGUF file") : fmt::format("GGUF version {}", version));
  }
  constexpr std::uint64_t least_tensor = 8 + 4 + 8 + 4 + 8;
  constexpr std::uint64_t least_value = 8 + 4 + 1;
  const std::uint64_t tensor_count = cursor.count(least_tensor, "tensors");
  const std::uint64_t value_count = cursor.count(least_value, "metadata values");

  for (std::uint64_t i = 0; i < value_count; ++i) {
    const std::string key(cursor.text("a metadata key"));
    const GgufValue value = read_value(cursor, bytes, where, key);
    if (!metadata.emplace(key, value).second) fail("{}: metadata {} appears twice", where, in_quotes(key));
  }
  std::vector<TensorInfo> infos;
  for (std::uint64_t i = 0; i < tensor_count; ++i) infos.push_back(read_tensor_info(cursor, where, bytes.size()));

  const std::uint64_t alignment = alignment_of(metadata, where);
  const std::uint64_t data_begin = (cursor.position() + alignment - 1) / alignment * alignment;
  place_tensors(infos, data_begin < bytes.size() ? bytes.subspan(data_begin) : bytes.last(0), alignment, where);
  for (TensorInfo& info : infos) {
    const bool twice = tensors.contains(info.name) || unreadable.contains(info.name);
    if (!info.unreadable.empty())
      unreadable.emplace(info.name, std::move(info.unreadable));
    else
      tensors.emplace(info.name, std::move(info.tensor));
    if (twice) fail("{}: tensor {} appears twice", where, in_quotes(info.name));
  }
}

}  // namespace layerboost
