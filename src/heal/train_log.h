// log.jsonl: a line of JSON for each step and each measurement.
#pragma once

#include <cstdio>
#include <memory>

#include "base/json.h"

namespace layerboost {

class TrainLog {
 public:
  /// Keeps of a log that is there already the lines of steps up to `last_step` and of measurements up to
  /// `last_measured` (a run goes on from a checkpoint), and appends. Throws Error.
  TrainLog(const fs::path& path, std::int64_t last_step, std::int64_t last_measured);

  /// Appends a line; it is there for readers at once. Throws Error when it can't be written.
  void add(const Json& line);

 private:
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  fs::path path_;
  std::unique_ptr<std::FILE, Close> file_;
};

}  // namespace layerboost
