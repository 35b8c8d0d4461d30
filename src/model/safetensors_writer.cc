#include "model/safetensors_writer.h"

#include <cstdint>
#include <cstring>

#include "base/error.h"
#include "kernels/bf16.h"

namespace layerboost {

void SafetensorsWriter::add(const std::string& name, const std::vector<std::int64_t>& shape,
                            std::span<const float> values, DType dtype) {
  LB_CHECK(dtype == DType::f32 || dtype == DType::bf16);
  std::size_t count = 1;
  for (const std::int64_t size : shape) count *= static_cast<std::size_t>(size);
  LB_CHECK(count == values.size() && !tensors_.contains(name));
  const std::size_t begin = data_.size();
  if (dtype == DType::f32) {
    data_.append(reinterpret_cast<const char*>(values.data()), values.size_bytes());
  } else {
    data_.resize(begin + values.size() * sizeof(std::uint16_t));
    char* out = data_.data() + begin;
    for (const float value : values) {
      const std::uint16_t rounded = to_bf16(value);
      std::memcpy(out, &rounded, sizeof rounded);
      out += sizeof rounded;
    }
  }
  tensors_[name] = {{"dtype", name_of(dtype)}, {"shape", shape}, {"data_offsets", {begin, data_.size()}}};
}

std::string SafetensorsWriter::file() const {
  Json header = Json::object();
  if (!metadata_.empty()) header["__metadata__"] = metadata_;
  header.update(tensors_);
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');  // so that the data are aligned, as the reference implementation does
  const std::uint64_t header_size = text.size();
  std::string content(reinterpret_cast<const char*>(&header_size), sizeof header_size);
  content += text;
  content += data_;
  return content;
}

void SafetensorsWriter::write(const std::filesystem::path& path) const { write_file(path, file()); }

}  // namespace layerboost
