// The fuzz targets' seeds, through the same functions: regressions are found where nobody fuzzes.
#include <gtest/gtest.h>

#include "../../fuzz/exercise_checkpoint.h"
#include "base/file.h"

namespace layerboost {
namespace {

/// Calls `exercise` with every seed of a target, whole and cut short at some places.
template <typename Exercise>
void run_seeds(const char* name, const Exercise& exercise) {
  const fs::path folder = fs::path(LAYERBOOST_SOURCE_DIR) / "fuzz/corpus" / name;
  int seeds = 0;
  for (const auto& entry : fs::directory_iterator(folder)) {
    SCOPED_TRACE(entry.path().string());
    const std::string seed = read_file(entry.path());
    const auto bytes = std::as_bytes(std::span(seed));
    exercise(bytes);
    for (std::size_t size = 0; size < bytes.size(); size += 1 + bytes.size() / 50) exercise(bytes.first(size));
    ++seeds;
  }
  EXPECT_GE(seeds, 4) << folder;
}

TEST(Corpus, Gguf) { run_seeds("gguf", fuzz::exercise_gguf); }
TEST(Corpus, Safetensors) { run_seeds("safetensors", fuzz::exercise_safetensors); }
TEST(Corpus, Config) { run_seeds("config", fuzz::exercise_config); }

}  // namespace
}  // namespace layerboost
