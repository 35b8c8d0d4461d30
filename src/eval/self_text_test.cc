#include "eval/self_text.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "base/error.h"
#include "base/json.h"
#include "base/sealed_file.h"
#include "base/temporary_path_for_tests.h"
#include "mixer/model_for_tests.h"

namespace layerboost {
namespace {

/// Puts the cache into a folder of its own while it lives.
class OwnCache {
 public:
  OwnCache() : folder_(test::temporary_path("self_text")) {
    if (const char* before = std::getenv("XDG_CACHE_HOME")) before_ = before;
    ::setenv("XDG_CACHE_HOME", folder_.c_str(), 1);
  }
  ~OwnCache() {
    if (before_.empty())
      ::unsetenv("XDG_CACHE_HOME");
    else
      ::setenv("XDG_CACHE_HOME", before_.c_str(), 1);
    fs::remove_all(folder_);
  }
  OwnCache(const OwnCache&) = delete;
  OwnCache& operator=(const OwnCache&) = delete;

 private:
  fs::path folder_;
  std::string before_;
};

TEST(SelfText, WrittenOnceAndGoneOnWith) {
  LB_NEEDS_DEFAULT_MODEL();
  const auto model = load_model(default_model_path(), Precision::bf16);
  const OwnCache cache;
  MixerSet mixers(*model);
  Subject subject(*model, mixers.list(native_specs(model->config)));
  const SelfTextOptions options = {3, 12, 1};
  const auto texts = self_text(subject, options);
  ASSERT_EQ(texts.size(), 3U);
  for (const auto& text : texts) {
    ASSERT_EQ(text.size(), 12U);
    EXPECT_TRUE(text[0] == model->text().bos() || text[0] == model->text().eos());
  }
  EXPECT_NE(texts[0], texts[1]);

  // What is there is read, what is missing written.
  const fs::path path = self_text_path(*model, options);
  Json json = read_json(path);
  json["sequences"][0][5] = 17;
  json["sequences"].erase(2);
  write_json(path, sealed_json(json));
  const auto completed = self_text(subject, options);
  EXPECT_EQ(completed[0][5], 17);
  EXPECT_EQ(completed[1], texts[1]);
  EXPECT_EQ(completed[2], texts[2]);

  // What isn't this model's, or has changed, is written anew.
  json["model"] = "sha256:0";
  write_json(path, sealed_json(json));
  EXPECT_EQ(self_text(subject, options), texts);
  json = read_json(path);
  json["sequences"][1][3] = 18;
  write_json(path, json);
  EXPECT_EQ(self_text(subject, options), texts);
  write_file(path, "{");
  EXPECT_EQ(self_text(subject, options), texts);
}

}  // namespace
}  // namespace layerboost
