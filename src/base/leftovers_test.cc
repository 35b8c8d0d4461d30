#include "base/leftovers.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>

#include "base/temporary_path_for_tests.h"

namespace layerboost {
namespace {

/// The number of a process that has ended.
pid_t ended_process() {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(0);
  ::waitpid(child, nullptr, 0);
  return child;
}

TEST(Leftovers, OfEndedProcessesGo) {
  const fs::path directory = test::temporary_path("leftovers");
  const auto make = [&](const std::string& name) {
    write_file(directory / name, "x");
    return directory / name;
  };
  const std::string gone = std::to_string(ended_process()), alive = std::to_string(::getppid()),
                    own = std::to_string(::getpid());
  const fs::path adapter = make("adapter.safetensors.tmp" + gone), maps = make("a.maps.safetensors.tmp" + gone),
                 same_number = make("plan.json.tmp" + own), written = make("heal.json.tmp" + alive),
                 notes = make("notes.md.tmp" + gone), kept = make("heal.json"), number = make("log.jsonl.tmp"),
                 word = make("log.jsonl.tmp" + gone + "x");
  remove_leftovers(directory, "b");
  EXPECT_TRUE(fs::exists(adapter) && fs::exists(maps) && fs::exists(same_number));
  remove_leftovers(directory);
  for (const fs::path& path : {adapter, maps, same_number}) EXPECT_FALSE(fs::exists(path)) << path;
  for (const fs::path& path : {written, notes, kept, number, word}) EXPECT_TRUE(fs::exists(path)) << path;
  fs::remove_all(directory);
  remove_leftovers(directory);
}

}  // namespace
}  // namespace layerboost
