// Runs the fuzz target over its seed corpus.
#include <gtest/gtest.h>

#include "../../fuzz/tokenizer_fuzz.cc"
#include "base/file.h"

namespace layerboost {
namespace {

TEST(TokenizerCorpus, EverySeed) {
  int seeds = 0;
  for (const auto& entry : fs::directory_iterator(fs::path(LAYERBOOST_SOURCE_DIR) / "fuzz/corpus/tokenizer")) {
    const std::string bytes = read_file(entry.path());
    SCOPED_TRACE(entry.path().string());
    EXPECT_EQ(LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()), 0);
    ++seeds;
  }
  EXPECT_GE(seeds, 5);
}

}  // namespace
}  // namespace layerboost
