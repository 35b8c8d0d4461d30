#include "app/ladder_table.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>

#include "app/plan_strip.h"
#include "base/in_quotes.h"

namespace layerboost {
namespace {

constexpr std::size_t widest_strip = 64;
constexpr int number_width = 11;

/// Text lengths that any level has figures of.
std::set<int> retrieval_lengths(const Ladder& ladder) {
  std::set<int> lengths;
  for (const auto& quality : ladder.quality)
    if (quality)
      for (const LevelRetrieval& row : quality->retrieval) lengths.insert(row.length);
  return lengths;
}

/// The columns of one line; those that have nothing anywhere are left out by `header`.
class Columns {
 public:
  explicit Columns(const Ladder& ladder) : lengths_(retrieval_lengths(ladder)) {
    for (const auto& quality : ladder.quality) {
      if (!quality) continue;
      measured_ = true;
      tasks_ = tasks_ || !quality->tasks.empty();
      predicted_ = predicted_ || quality->speedup;
      timed_ = timed_ || quality->decode_speed;
    }
  }

  [[nodiscard]] std::string header() const {
    if (!measured_) return {};
    std::string text = column("memory") + column("perplexity") + column("KL");
    for (const int length : lengths_) text += column(fmt::format("facts/{}", length));
    if (tasks_) text += column("tasks");
    if (predicted_) text += column("speed");
    if (timed_) text += column("tokens/s");
    return text;
  }

  [[nodiscard]] std::string line(const LevelQuality& quality) const {
    std::string text = column(fmt::format("{:.0f} %", 100 * quality.kv_fraction)) +
                       column(fmt::format("x {:.4f}", quality.perplexity_ratio)) +
                       column(fmt::format("{:.4f}", quality.kl));
    for (const int length : lengths_) {
      const auto row = std::find_if(quality.retrieval.begin(), quality.retrieval.end(),
                                    [&](const LevelRetrieval& one) { return one.length == length; });
      text += column(row == quality.retrieval.end() ? "" : fmt::format("{:.0f} %", 100 * row->found));
    }
    if (tasks_) text += column(quality.tasks.empty() ? "" : fmt::format("{:.1f} %", 100 * quality.mean_accuracy()));
    if (predicted_) text += column(quality.speedup ? fmt::format("x {:.2f}", *quality.speedup) : "");
    if (timed_) text += column(quality.decode_speed ? fmt::format("{:.0f}", *quality.decode_speed) : "");
    return text;
  }

 private:
  static std::string column(const std::string& text) { return fmt::format("{:>{}}", text, number_width); }

  const std::set<int> lengths_;
  bool measured_ = false, tasks_ = false, predicted_ = false, timed_ = false;
};

std::string without_trailing_spaces(std::string line) {
  line.erase(line.find_last_not_of(' ') + 1);
  return line;
}

}  // namespace

std::string draw_ladder(const Ladder& ladder, bool color) {
  std::vector<MixerSpec> all = ladder.level_0;
  std::size_t width = 5;
  for (const Rung& rung : ladder.rungs) {
    all.push_back(rung.mixer);
    width = std::max(width, to_string(rung).size());
  }
  const MixerLetters letters(all);
  const Columns columns(ladder);
  const bool strip = ladder.level_0.size() <= widest_strip;
  const std::size_t cells = strip ? std::max<std::size_t>(6, ladder.level_0.size()) : 0;
  std::string text = without_trailing_spaces(fmt::format("{:>5}  {:<{}}  {:<{}}{}", "level", "rung", width,
                                                         strip ? "layers" : "", cells, columns.header())) +
                     "\n";
  for (int level = 0; level <= ladder.top(); ++level) {
    std::string line = fmt::format(
        "{:>5}  {:<{}}  ", level, level > 0 ? to_string(ladder.rungs[static_cast<std::size_t>(level - 1)]) : "", width);
    if (strip) {
      for (const MixerSpec& spec : ladder.specs(level)) line += letters.cell(spec, color);
      line.append(cells - ladder.level_0.size(), ' ');
    }
    const auto& quality = ladder.quality;
    if (static_cast<std::size_t>(level) < quality.size() && quality[static_cast<std::size_t>(level)])
      line += columns.line(*quality[static_cast<std::size_t>(level)]);
    text += without_trailing_spaces(std::move(line)) + "\n";
  }
  text += "\n";
  for (const MixerSpec& spec : std::set<MixerSpec>(all.begin(), all.end()))
    text += fmt::format("    {}  {}\n", letters.cell(spec, color), to_string(spec));
  return text;
}

std::string rungs_text(int rungs) { return fmt::format("{} rung{}", rungs, rungs == 1 ? "" : "s"); }

std::string describe_measured(const Ladder& ladder) {
  const Json& on = ladder.measured_on;
  if (on.empty()) return {};
  const std::string where = "measured_on";
  const auto name = get_or<std::string>(on, "text", "", where);
  const int windows = get_or<int>(on, "windows", 0, where);
  std::string text = fmt::format("measured  on {}, {} window{} of {} tokens",
                                 name == "self" ? "text that the model wrote" : printable(name, 80), windows,
                                 windows == 1 ? "" : "s", get_or<int>(on, "window", 0, where));
  const auto lengths = get_or<std::vector<int>>(on, "retrieval", {}, where);
  if (!lengths.empty())
    text += fmt::format("; facts in texts of {} tokens, in wordings that no rung was chosen by",
                        fmt::join(lengths, " and "));
  text += "\n";
  const Json unchanged = get_or<Json>(on, "unchanged", Json(), where);
  if (unchanged.is_object()) {
    text += fmt::format("unchanged perplexity {:.3f}", get_or<double>(unchanged, "perplexity", 0, where));
    for (const Json& row : get_or<std::vector<Json>>(unchanged, "retrieval", {}, where))
      text += fmt::format(", {:.0f} % of the facts in {} tokens", 100 * get_or<double>(row, "found", 0, where),
                          get_or<int>(row, "length", 0, where));
    text += "\n";
  }
  if (const auto decode = get_or<std::string>(on, "decode", "", where); !decode.empty())
    text += fmt::format(
        "speed     decoding {} (sequences x positions): predicted{}\n", printable(decode, 40),
        std::ranges::any_of(ladder.quality, [](const auto& level) { return level && level->decode_speed; })
            ? fmt::format(", and measured on {}, {} threads", printable(get_or<std::string>(on, "cpu", "?", where), 80),
                          get_or<int>(on, "threads", 0, where))
            : "");
  return text + fmt::format("memory    of one sequence of {} positions\n", ladder.context);
}

}  // namespace layerboost
