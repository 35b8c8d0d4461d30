#include "model/gguf_parts.h"

#include <gtest/gtest.h>

namespace layerboost {
namespace {

TEST(GgufParts, NamesOfPartsLeadToTheFirst) {
  EXPECT_EQ(gguf_part_ending(1, 5), "-00002-of-00005.gguf");
  EXPECT_EQ(first_gguf_part("a/b-00002-of-00005.gguf"), fs::path("a/b-00001-of-00005.gguf"));
  EXPECT_EQ(first_gguf_part("b-Q8_0-12345-of-54321.gguf"), fs::path("b-Q8_0-00001-of-54321.gguf"));
  for (const char* other : {"", "b.gguf", "b-00001-of-00005.gguf", "-00002-of-00005.gguf", "b-0002-of-00005.gguf",
                            "b-00002-of-0000x.gguf", "b-00002-of-00005.bin", "b_00002-of-00005.gguf"})
    EXPECT_EQ(first_gguf_part(other), std::nullopt) << other;
}

TEST(GgufParts, AModelsNameDoesNotSayWhichPart) {
  EXPECT_EQ(gguf_model_name("a/b-Q8_0-00001-of-00005.gguf"), "b-Q8_0");
  EXPECT_EQ(gguf_model_name("a/b-Q8_0-00002-of-00005.gguf"), "b-Q8_0");
  EXPECT_EQ(gguf_model_name("a/b-Q8_0.gguf"), "b-Q8_0");
  EXPECT_EQ(gguf_model_name("-00002-of-00005.gguf"), "-00002-of-00005");
}

}  // namespace
}  // namespace layerboost
