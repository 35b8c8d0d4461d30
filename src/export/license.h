// The licence of the model that an export was made from.
#pragma once

#include <string>
#include <vector>

#include "base/file.h"
#include "model/config.h"

namespace layerboost {

struct BaseLicense {
  std::string id;                  // as the Hugging Face Hub has them: "apache-2.0", "other", ...; empty: not said
  std::vector<std::string> files;  // names of its files in the exported directory
};

/// Puts what is known of the licence of the model at `base` (a GGUF file, which `config` is of, or a Hugging Face
/// directory) into `directory`: the directory's LICENSE* and NOTICE* files; the text of the Apache License 2.0, where
/// that is said to be the licence and no file lies beside. Throws Error.
BaseLicense export_license(const fs::path& base, const Config& config, const fs::path& directory);

}  // namespace layerboost
