#include "model/fused_tensors.h"

#include <string_view>

#include "base/error.h"
#include "base/in_quotes.h"
#include "model/dequantize.h"
#include "model/tensor_names.h"

namespace layerboost {
namespace {

/// What a tensor holds: parts of a layer, in order, and what stands before and behind their names; no parts: itself.
struct Contents {
  std::vector<LayerPart> parts;
  std::string_view before, behind;

  [[nodiscard]] std::string name(LayerPart part) const { return fmt::format("{}{}{}", before, name_of(part), behind); }
};

Contents contents_of(std::string_view name) {
  static const std::pair<std::string_view, std::vector<LayerPart>> fused[] = {
      {"self_attn.qkv_proj", {LayerPart::q, LayerPart::k, LayerPart::v}},
      {"mlp.gate_up_proj", {LayerPart::gate, LayerPart::up}},
  };
  for (const auto& [module, parts] : fused) {
    const auto at = name.find(module);
    if (at == std::string_view::npos) continue;
    const std::string_view behind = name.substr(at + module.size());
    if (behind == ".weight" || behind == ".bias") return {parts, name.substr(0, at), behind};
  }
  return {};
}

}  // namespace

void add_in_parts(const std::string& name, const std::string& file, const Tensor& tensor, const Config& config,
                  TensorTable& table) {
  const Contents contents = contents_of(name);
  if (contents.parts.empty()) return table.add(name, file, tensor);
  std::int64_t rows = 0;
  for (const LayerPart part : contents.parts) rows += shape_of(config, part).out;
  if (tensor.shape.empty() || tensor.shape.size() > 2 || tensor.shape.front() != rows)
    fail("{}: tensor {} has the shape [{}]; the configuration asks for {} rows", file, in_quotes(name),
         fmt::join(tensor.shape, ", "), rows);
  if (tensor.shape.size() == 1 && block_size(tensor.dtype).elements > 1)
    fail("{}: tensor {} has the type {}, which doesn't end where its parts do", file, in_quotes(name),
         name_of(tensor.dtype));
  const std::int64_t row_bytes = stored_bytes(tensor.dtype, tensor.shape.size() == 2 ? tensor.cols() : 1);
  std::size_t at = 0;
  for (const LayerPart part : contents.parts) {
    Tensor own = tensor;
    own.shape.front() = shape_of(config, part).out;
    own.data = tensor.data.subspan(at, static_cast<std::size_t>(own.shape.front() * row_bytes));
    at += own.data.size();
    table.add(contents.name(part), file, std::move(own));
  }
}

void add_unreadable_in_parts(const std::string& name, const std::string& file, const std::string& why,
                             TensorTable& table) {
  const Contents contents = contents_of(name);
  if (contents.parts.empty()) return table.add_unreadable(name, file, why);
  for (const LayerPart part : contents.parts) table.add_unreadable(contents.name(part), file, why);
}

}  // namespace layerboost
