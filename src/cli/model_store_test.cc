#include "cli/model_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>

#include "base/error.h"

namespace layerboost {
namespace {

using testing::HasSubstr;

/// A cache of its own.
class ModelStore : public testing::Test {
 protected:
  ModelStore() {
    fs::remove_all(root_);
    fs::create_directories(root_);
    setenv("XDG_CACHE_HOME", root_.c_str(), 1);
  }
  ~ModelStore() override {
    fs::remove_all(root_);
    unsetenv("XDG_CACHE_HOME");
  }
  static std::string message(const std::string& model) {
    try {
      return "found " + find_model(model).string();
    } catch (const Error& error) {
      return error.what();
    }
  }

  const fs::path root_ = fs::path(testing::TempDir()) / fmt::format("layerboost_model_store_test_{}", ::getpid());
};

TEST_F(ModelStore, FindsFilesAndDirectories) {
  write_file(root_ / "a.gguf", "x");
  write_file(root_ / "hf/config.json", "{}");
  EXPECT_EQ(find_model((root_ / "a.gguf").string()), root_ / "a.gguf");
  EXPECT_EQ(find_model((root_ / "hf").string()), root_ / "hf");
}

TEST_F(ModelStore, FindsTheOnlyGgufFileOfADirectory) {
  EXPECT_THAT(message(root_.string()), HasSubstr("not a model"));
  write_file(root_ / "a.gguf", "x");
  EXPECT_EQ(find_model(root_.string()), root_ / "a.gguf");
  write_file(root_ / "b.gguf", "x");
  EXPECT_THAT(message(root_.string()),
              HasSubstr("holds 2 GGUF files; name one, such as " + (root_ / "a.gguf").string()));
}

TEST_F(ModelStore, FindsTheDefaultModelOrSaysHowToGetIt) {
  EXPECT_THAT(message("smollm2-135m"), HasSubstr("run scripts/get-model.sh"));
  const fs::path file = cache_dir() / "models/smollm2-135m/SmolLM2-135M-Instruct.Q4_1.gguf";
  write_file(file, "x");
  EXPECT_EQ(find_model("smollm2-135m"), file);
}

TEST_F(ModelStore, AFolderOfTheDefaultModelsNameHidesItOnlyAsAPath) {
  const fs::path file = cache_dir() / "models/smollm2-135m/SmolLM2-135M-Instruct.Q4_1.gguf",
                 before = fs::current_path();
  write_file(file, "x");
  write_file(root_ / "smollm2-135m/plan.json", "{}");
  fs::current_path(root_);
  EXPECT_THAT(message("smollm2-135m"), HasSubstr("not a model"));
  EXPECT_EQ(find_cached_model("smollm2-135m"), file);
  fs::current_path(before);
}

TEST_F(ModelStore, FindsPulledModelsOrSaysHowToGetThem) {
  EXPECT_THAT(message("org/name"), HasSubstr("layerboost pull org/name"));
  write_file(cache_dir() / "models/org/name/config.json", "{}");
  EXPECT_EQ(find_model("org/name"), cache_dir() / "models/org/name");
}

TEST_F(ModelStore, RefusesOtherWords) {
  EXPECT_THAT(message("gpt9"), HasSubstr("no model \"gpt9\""));
  EXPECT_THAT(message("missing.gguf"), HasSubstr("no model"));
  EXPECT_THROW(store_path("a/b/c"), Error);
  EXPECT_THROW(store_path("../up"), Error);
  EXPECT_THROW(store_path("a/.."), Error);
}

}  // namespace
}  // namespace layerboost
