#include "base/run_info.h"

#include <cmath>
#include <string_view>

#include "base/cpu.h"
#include "layerboost/version.h"

namespace layerboost {
namespace {

std::string& kept_line() {
  static std::string line;
  return line;
}

std::string quoted(std::string_view word) {
  constexpr std::string_view plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./=:,+@%";
  if (!word.empty() && word.find_first_not_of(plain) == std::string_view::npos) return std::string(word);
  std::string result = "'";
  for (const char c : word) result += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return result + "'";
}

Json text_or_null(const std::string& text) { return text.empty() ? Json() : Json(text); }

}  // namespace

void set_command_line(int argc, const char* const* argv) {
  std::string& line = kept_line();
  line = "layerboost";
  for (int i = 1; i < argc; ++i) line += " " + quoted(argv[i]);
}

const std::string& command_line() { return kept_line(); }

Json RunInfo::to_json() const {
  Json json = {{"version", LAYERBOOST_VERSION},
               {"command", command_line()},
               {"model", text_or_null(model)},
               {"plan", text_or_null(plan)}};
  if (!adapter.empty()) json["adapter"] = adapter;
  if (!kv.empty()) json["kv"] = kv;
  json.update(Json{
      {"cpu", cpu_name()},
      {"isa", name_of(best_isa())},
      {"threads", threads},
      {"precision", text_or_null(precision)},
      {"seed", seed},
      {"seconds", std::round(clock.seconds() * 1000) / 1000},
  });
  return json;
}

}  // namespace layerboost
