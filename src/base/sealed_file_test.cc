#include "base/sealed_file.h"

#include <gtest/gtest.h>

#include "base/temporary_path_for_tests.h"

namespace layerboost {
namespace {

TEST(SealedFile, DamageIsNoticed) {
  const fs::path path = test::temporary_path("sealed");
  {
    SealedWriter writer(path);
    writer.write("one ");
    writer.write("two");
    writer.finish();
  }
  const std::string file = read_file(path);
  fs::remove(path);
  EXPECT_EQ(file, sealed("one two"));
  EXPECT_EQ(unsealed(file), "one two");
  EXPECT_EQ(unsealed(sealed("")), "");
  for (std::size_t i = 0; i < file.size(); ++i) {
    std::string changed = file;
    changed[i] ^= 0x20;
    EXPECT_FALSE(unsealed(changed)) << i;
    EXPECT_FALSE(unsealed(std::string_view(file).substr(0, i))) << i;
  }
}

TEST(SealedFile, JsonToo) {
  const Json object = sealed_json({{"a", {0.1, 1.0 / 3}}, {"b", "c"}});
  EXPECT_TRUE(is_sealed(object));
  EXPECT_TRUE(is_sealed(Json::parse(object.dump(2))));
  Json changed = object;
  changed["a"][0] = 0.2;
  EXPECT_FALSE(is_sealed(changed));
  EXPECT_FALSE(is_sealed({{"a", 1}}));
  EXPECT_FALSE(is_sealed(Json::array()));
}

}  // namespace
}  // namespace layerboost
