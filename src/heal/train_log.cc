#include "heal/train_log.h"

#include <cerrno>
#include <cstring>

#include "base/error.h"

namespace layerboost {

TrainLog::TrainLog(const fs::path& path, std::int64_t last_step, std::int64_t last_measured) : path_(path) {
  std::string kept;
  if (fs::exists(path) && last_measured >= 0) {
    const std::string content = read_file(path);
    for (std::size_t begin = 0; begin < content.size();) {
      const std::size_t end = content.find('\n', begin);
      if (end == std::string::npos) break;  // a line that a power cut left unfinished
      const std::string line = content.substr(begin, end - begin);
      const SortedJson json = json_or_null(line);
      const std::int64_t last = json.contains("valid") ? last_measured : last_step;
      const auto step = json.find("step");
      if (step != json.end() && step->is_number_integer() && step->get<std::int64_t>() <= last) kept += line + "\n";
      begin = end + 1;
    }
  }
  write_file(path, kept);
  file_.reset(std::fopen(path.c_str(), "a"));
  if (!file_) fail("cannot write {}: {}", path.string(), std::strerror(errno));  // NOLINT(concurrency-mt-unsafe)
}

void TrainLog::add(const Json& line) {
  const std::string text = line.dump() + "\n";
  if (std::fwrite(text.data(), 1, text.size(), file_.get()) != text.size() || std::fflush(file_.get()) != 0)
    fail("cannot write {}: {}", path_.string(), std::strerror(errno));  // NOLINT(concurrency-mt-unsafe)
}

}  // namespace layerboost
