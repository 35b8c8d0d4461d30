#include "model/checkpoint.h"

#include "base/error.h"
#include "model/gguf_checkpoint.h"
#include "model/safetensors_checkpoint.h"

namespace layerboost {

std::unique_ptr<Checkpoint> open_checkpoint(const std::filesystem::path& path) {
  std::error_code error;
  if (!is_there(path)) fail("{}: no such file or folder", path.string());
  return fs::is_directory(path, error) ? open_safetensors(path) : open_gguf(path);
}

}  // namespace layerboost
