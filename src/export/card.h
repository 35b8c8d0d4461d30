// The model card of exported models: README.md, as the Hugging Face Hub shows it.
#pragma once

#include <string>
#include <string_view>

#include "export/export.h"
#include "export/license.h"

namespace layerboost {

/// The releases of transformers that bench/export/check.sh runs exported models with.
inline constexpr std::string_view tested_transformers = "4.56.0 to 5.24.0";

/// What the model was made from, its mixers and the memory that they keep, the figures that healing measured, how to
/// load and to serve it, and its licence; in Markdown, after metadata in YAML. `exported`: see exported_config().
std::string model_card(const ExportSource& source, const Config& exported, const BaseLicense& license);

}  // namespace layerboost
