#include "app/check_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error_for_tests.h"
#include "base/temporary_path_for_tests.h"

namespace layerboost {
namespace {

using testing::HasSubstr;

TEST(CheckArguments, FilesAreSeenBeforehand) {
  const fs::path folder = test::temporary_path("check-arguments");
  write_file(folder / "text", "x");
  write_file(folder / "empty", "");
  const std::string text = folder / "text";
  const auto input = [](const std::string& path) { return test::error_of([&] { check_input(path, "text"); }); };
  check_input("", "text");
  check_input(text, "text");
  check_input("/dev/null", "text");
  EXPECT_THAT(input(folder / "missing"), HasSubstr("`text`: cannot open " + (folder / "missing").string()));
  EXPECT_THAT(input(folder), HasSubstr("is a directory"));
  EXPECT_THAT(input(folder / "empty"), HasSubstr("is empty"));

  const auto output = [](const std::string& path) { return test::error_of([&] { check_output(path, "json"); }); };
  for (const char* good : {"", "/dev/stdout", "/dev/null", "new.json"}) check_output(good, "json");
  check_output(text, "json");
  check_output(folder / "new" / "deep" / "x.json", "json");
  fs::create_symlink("text", folder / "link");
  check_output(folder / "link", "json");
  fs::create_symlink("text/x.json", folder / "through");
  EXPECT_THAT(output(folder / "through"), HasSubstr("text is not a directory"));
  EXPECT_THAT(output(folder), HasSubstr("a directory, not a file"));
  EXPECT_THAT(output(folder / "text" / "x.json"), HasSubstr("text is not a directory"));

  EXPECT_THAT(test::error_of([] { check_output("-", "output"); }), HasSubstr("`output` -: give it a name"));

  check_output_directory(folder / "new" / "out", "output");
  EXPECT_THAT(test::error_of([] { check_output_directory("-", "output"); }), HasSubstr("`output` -: give it a name"));
  check_output_directory("out", "output");
  EXPECT_THAT(test::error_of([&] { check_output_directory(text, "output"); }), HasSubstr("is not a directory"));
  EXPECT_THAT(test::error_of([&] { check_output_directory("/proc/1/out", "output"); }),
              HasSubstr("`output` /proc/1/out: "));
  fs::remove_all(folder);
}

}  // namespace
}  // namespace layerboost
