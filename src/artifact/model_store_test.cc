#include "artifact/model_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "artifact/model_files.h"
#include "base/error.h"
#include "base/error_for_tests.h"
#include "base/temporary_path_for_tests.h"

namespace layerboost {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

/// A cache of its own.
class ModelStore : public testing::Test {
 protected:
  ModelStore() {
    fs::remove_all(root_);
    fs::create_directories(root_);
    setenv("XDG_CACHE_HOME", root_.c_str(), 1);
    for (const char* variable : {"HF_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"}) unsetenv(variable);
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

  const fs::path root_ = test::temporary_path("model_store_test");
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

TEST_F(ModelStore, TheFilesOfASplitModelAreOneModel) {
  for (const char* name : {"a-00001-of-00003.gguf", "a-00002-of-00003.gguf", "a-00003-of-00003.gguf"})
    write_file(root_ / name, "x");
  EXPECT_EQ(find_model(root_.string()), root_ / "a-00001-of-00003.gguf");
  fs::remove(root_ / "a-00001-of-00003.gguf");
  EXPECT_THAT(message(root_.string()), HasSubstr("holds 2 GGUF files"));
}

TEST_F(ModelStore, FindsTheDefaultModelOrSaysHowToGetIt) {
  EXPECT_THAT(message("smollm2-135m"), HasSubstr("scripts/get-model.sh"));
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

TEST_F(ModelStore, FindsWhatHuggingFacesToolsFetched) {
  const fs::path folder = root_ / "huggingface/hub/models--Org--some-name";
  write_file(folder / "snapshots/1111/config.json", "{}");
  EXPECT_EQ(find_model("Org/some-name"), folder / "snapshots/1111");
  EXPECT_EQ(find_model(folder.string()), folder / "snapshots/1111");
  write_file(folder / "snapshots/2222/config.json", "{}");
  EXPECT_THAT(message("Org/some-name"), HasSubstr("holds 2 snapshots, none of which is the main one"));
  write_file(folder / "refs/main", "2222\n");
  EXPECT_EQ(find_model("Org/some-name"), folder / "snapshots/2222");
  write_file(folder / "refs/main", "../../../elsewhere");
  EXPECT_THAT(message("Org/some-name"), HasSubstr("holds 2 snapshots"));

  write_file(root_ / "other/models--gpt/snapshots/1/a.gguf", "x");
  setenv("HF_HUB_CACHE", (root_ / "other").c_str(), 1);
  EXPECT_EQ(find_model("gpt"), root_ / "other/models--gpt/snapshots/1/a.gguf");
  EXPECT_THAT(message("Org/some-name"), HasSubstr("layerboost pull Org/some-name"));
  unsetenv("HF_HUB_CACHE");
}

TEST_F(ModelStore, WhatPullFetchedGoesBeforeTheOtherCacheUnlessItIsHalf) {
  const fs::path other = root_ / "huggingface/hub/models--org--name/snapshots/1";
  write_file(other / "config.json", "{}");
  write_file(cache_dir() / "models/org/name/model.safetensors.part", "x");
  EXPECT_EQ(find_model("org/name"), other);
  write_file(cache_dir() / "models/org/name/config.json", "{}");
  EXPECT_EQ(find_model("org/name"), cache_dir() / "models/org/name");
}

TEST_F(ModelStore, SuggestsNamesThatExist) {
  EXPECT_THAT(message("smolm2-135m"), HasSubstr("no model \"smolm2-135m\"; did you mean \"smollm2-135m\"?"));
  EXPECT_THAT(message("smollm2-135M"), HasSubstr("did you mean \"smollm2-135m\"?"));
  write_file(cache_dir() / "models/org/some-name/config.json", "{}");
  write_file(root_ / "huggingface/hub/models--Other--model-7b/snapshots/1/config.json", "{}");
  EXPECT_THAT(message("org/some-nam"),
              AllOf(HasSubstr("layerboost pull org/some-nam"), HasSubstr("did you mean \"org/some-name\"?")));
  EXPECT_THAT(message("model-7B"), HasSubstr("did you mean \"Other/model-7b\"?"));
  write_file(root_ / "here/first.gguf", "x");
  EXPECT_THAT(message((root_ / "here/fisrt.gguf").string()),
              HasSubstr("did you mean \"" + (root_ / "here/first.gguf").string() + "\"?"));
  EXPECT_THAT(message((root_ / "here").string() + "/../hree/"), Not(HasSubstr("pull")));
}

TEST_F(ModelStore, TheDefaultModelHasVariants) {
  const std::string shipped = (models_directory() / "smollm2-135m").string();
  EXPECT_EQ(as_it_comes("smollm2-135m"), shipped);
  EXPECT_EQ(with_its_ladder("other"), "other");
  EXPECT_EQ(with_its_ladder("smollm2-135m:recall"), shipped + "-recall");
  const fs::path ladder = shipped + "-ladder";
  EXPECT_EQ(with_its_ladder("smollm2-135m"), ladder.string());
  EXPECT_EQ(as_it_comes("smollm2-135m:recall"), shipped + "-recall");
  EXPECT_EQ(shipped_or_given("smollm2-135m"), "smollm2-135m") << "what makes plans begins with the model itself";
  EXPECT_THAT(test::error_of([&] { (void)as_it_comes("smollm2-135m:base"); }), HasSubstr("scripts/get-model.sh"));
  // What comes with the program needs the model, too, and says how to get it.
  for (const char* const model : {"smollm2-135m", "smollm2-135m:recall", "models/smollm2-135m"})
    EXPECT_THAT(test::error_of([&] { (void)find_model_files(model, ""); }),
                AllOf(StartsWith("the default model is not at "), HasSubstr("scripts/get-model.sh")))
        << model;
  const fs::path file = cache_dir() / "models/smollm2-135m/SmolLM2-135M-Instruct.Q4_1.gguf";
  write_file(file, "x");
  for (const auto& find : {as_it_comes, shipped_or_given}) EXPECT_EQ(find("smollm2-135m:base"), file);
  EXPECT_EQ(base_name("smollm2-135m:base"), "smollm2-135m");
  EXPECT_EQ(base_name("smollm2-135m:recall"), "smollm2-135m:recall");
  const fs::path before = fs::current_path();
  fs::current_path(root_);
  fs::create_directories("smollm2-135m");
  EXPECT_EQ(as_it_comes("smollm2-135m"), "smollm2-135m") << "what lies here goes first";
  fs::current_path(before);
  EXPECT_EQ(as_it_comes("org/name"), "org/name");
  for (const char* const missing : {"smollm2-135m:none", "smollm2-135m:", "smollm2-135m:../smollm2-135m"})
    EXPECT_THAT(test::error_of([&] { (void)as_it_comes(missing); }),
                HasSubstr(std::string("no model \"") + missing + "\"; there are smollm2-135m, smollm2-135m:base"));
}

TEST_F(ModelStore, DoesNotTakeAPathForANameOnAHub) {
  const fs::path before = fs::current_path();
  fs::current_path(root_);
  const std::string shipped = (models_directory() / "smollm2-135m").string();
  EXPECT_EQ(message("models/smollm2-135m"),
            "no file or directory models/smollm2-135m; did you mean \"" + shipped + "\"?");
  EXPECT_EQ(shipped_or_given("models/smollm2-135m"), shipped);
  EXPECT_EQ(shipped_or_given("models/other"), "models/other");
  EXPECT_EQ(shipped_or_given("smollm2-135m"), "smollm2-135m");
  fs::create_directories("models/smollm2-135m");
  EXPECT_EQ(shipped_or_given("models/smollm2-135m"), "models/smollm2-135m");
  fs::remove_all("models");
  fs::create_directories("out");
  EXPECT_EQ(message("out/healed"), "no file or directory out/healed");
  EXPECT_EQ(message("some/file.gguf"), "no file or directory some/file.gguf");
  EXPECT_EQ(message("plan.json"), "no file or directory plan.json");
  write_file("out/healed/heal.json", "{}");
  EXPECT_THAT(message("out/haeled"), HasSubstr("did you mean \"out/healed\"?"));
  EXPECT_THAT(message("out"), HasSubstr("did you mean \"out/healed\"?"));
  fs::current_path(before);
}

TEST_F(ModelStore, SaysThatHalfOfAModelIsHalf) {
  write_file(cache_dir() / "models/org/name/model.safetensors.part", "x");
  EXPECT_THAT(message("org/name"), HasSubstr("not all of the model has been fetched"));
}

TEST_F(ModelStore, RefusesOtherWords) {
  EXPECT_THAT(message("gpt9"), HasSubstr("no model \"gpt9\""));
  EXPECT_THAT(message("missing.gguf"), HasSubstr("no file or directory missing.gguf"));
  EXPECT_THAT(message(std::string(5000, 'a')), HasSubstr("no model"));
  EXPECT_THAT(message(std::string(5000, 'a') + "/b"), HasSubstr("no file or directory"));
  EXPECT_THROW(store_path("a/b/c"), Error);
  EXPECT_THROW(store_path("../up"), Error);
  EXPECT_THROW(store_path("a/.."), Error);
}

}  // namespace
}  // namespace layerboost
