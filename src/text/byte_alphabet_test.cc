#include "text/byte_alphabet.h"

#include <gtest/gtest.h>

#include <set>

namespace layerboost {
namespace {

TEST(ByteAlphabet, SpellsEveryByteDifferentlyAndReadsItBack) {
  std::set<std::string_view> seen;
  std::string all_bytes, spelled;
  for (int byte = 0; byte < 256; ++byte) {
    const auto character = alphabet_char(static_cast<unsigned char>(byte));
    EXPECT_TRUE(seen.insert(character).second);
    all_bytes += static_cast<char>(byte);
    spelled += character;
  }
  EXPECT_EQ(alphabet_to_bytes(spelled), all_bytes);
}

TEST(ByteAlphabet, KnownSpellings) {
  EXPECT_EQ(alphabet_char(' '), "Ġ");
  EXPECT_EQ(alphabet_char('\n'), "Ċ");
  EXPECT_EQ(alphabet_char('a'), "a");
  EXPECT_EQ(alphabet_char(0xAD), "Ń");
  EXPECT_EQ(alphabet_to_bytes("Ã©"), "é");
}

TEST(ByteAlphabet, OtherTextStaysAsItIs) {
  EXPECT_EQ(alphabet_to_bytes("two words"), "two words");
  EXPECT_EQ(alphabet_to_bytes("Ġ日"), "Ġ日");
}

}  // namespace
}  // namespace layerboost
