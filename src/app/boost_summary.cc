#include "app/boost_summary.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "app/model_facts.h"
#include "artifact/boosted_directory.h"
#include "base/json.h"

namespace layerboost {
namespace {

/// The results before and after, empty objects where there are none. After: healed, where that was measured.
struct Results {
  Json before, after;
};

Json read_if_there(const fs::path& path) { return fs::exists(path) ? read_json(path) : Json::object(); }

Results quality_of(const fs::path& directory) {
  const fs::path healed = directory / boost_name::quality_of_healed;
  return {read_if_there(directory / boost_name::quality_of_base),
          read_if_there(fs::exists(healed) ? healed : directory / boost_name::quality_of_plan)};
}

std::string summary_line(const char* what, const std::string& text) { return fmt::format("  {:<10} {}\n", what, text); }

/// The line about memory: of one sequence, numbers of two bytes, as the plan and the page count it.
std::string memory_line(const OpenedModel& unchanged, const OpenedModel& planned) {
  const Config& config = unchanged.model->config;
  const int length = config.max_positions > 0 ? std::min(2048, config.max_positions) : 2048;
  const double before = cache_bytes(config, native_specs(config), length),
               after = cache_bytes(config, planned.specs, length);
  const bool large = before >= 1 << 20;
  const double unit = large ? 1 << 20 : 1 << 10;
  return summary_line("memory",
                      fmt::format("{:.1f} -> {:.1f} {} of cache for a sequence of {} tokens ({:.0f} %)", before / unit,
                                  after / unit, large ? "MiB" : "KiB", length, 100 * after / before));
}

/// The line about speed: of the most sequences at once, with prompts nearest to 1024 tokens.
std::string speed_line(const fs::path& directory) {
  const Json base = read_if_there(directory / boost_name::speed_of_base),
             plan = read_if_there(directory / boost_name::speed_of_plan);
  const Json *before = nullptr, *after = nullptr;
  double best = -std::numeric_limits<double>::infinity();
  if (!base.contains("rows") || !plan.contains("rows")) return {};
  for (const Json& row : base["rows"]) {
    for (const Json& other : plan["rows"]) {
      if (row["pp"] != other["pp"] || row["pl"] != other["pl"]) continue;
      const double rank = row["pl"].get<double>() * 100 - std::abs(std::log2(row["pp"].get<double>() / 1024));
      if (rank <= best) continue;
      best = rank;
      before = &row;
      after = &other;
    }
  }
  if (before == nullptr) return {};
  const double old_speed = before->at("speed_tg").get<double>(), new_speed = after->at("speed_tg").get<double>();
  const int sequences = before->at("pl").get<int>();
  return summary_line(
      "speed",
      fmt::format("{:.0f} -> {:.0f} tokens a second, writing {} sequence{} of {} tokens ({:.2f} times)", old_speed,
                  new_speed, sequences, sequences == 1 ? "" : "s", before->at("pp").get<int>(), new_speed / old_speed));
}

/// A model's perplexity of what it wrote itself says little: the change of the NLL is what counts there.
std::string text_line(const Results& quality) {
  if (!quality.before.contains("perplexity") || !quality.after.contains("kl")) return {};
  const Json& kl = quality.after["kl"];
  const std::string error =
      kl["nll_change_stderr"].is_number() ? fmt::format(" ± {:.4f}", kl["nll_change_stderr"].get<double>()) : "";
  const std::string change = fmt::format("NLL {:+.4f}{} nats a token", kl["nll_change"].get<double>(), error);
  const Json text = quality.after["data"]["text"];
  if (text.value("written_by_model", false))
    return summary_line("text", change + ", on text that the model wrote itself");
  return summary_line("perplexity",
                      fmt::format("{:.3f} -> {:.3f} on {} ({})", quality.before["perplexity"]["ppl"].get<double>(),
                                  quality.after["perplexity"]["ppl"].get<double>(),
                                  fs::path(text.value("file", "the text")).filename().string(), change));
}

std::string retrieval_line(const Results& quality) {
  std::string text;
  if (!quality.before.contains("retrieval") || !quality.after.contains("retrieval")) return {};
  for (const Json& row : quality.before["retrieval"])
    for (const Json& other : quality.after["retrieval"])
      if (row["length"] == other["length"])
        text += fmt::format("{}{:.0f} -> {:.0f} % in {} tokens", text.empty() ? "facts found: " : ", ",
                            100 * row["plain"]["found"].get<double>(), 100 * other["plain"]["found"].get<double>(),
                            row["length"].get<int>());
  return text.empty() ? "" : summary_line("retrieval", text);
}

}  // namespace

std::string boost_summary(const fs::path& directory, const OpenedModel& unchanged, const OpenedModel& planned) {
  const Results quality = quality_of(directory);
  const std::string name = directory.string();
  return fmt::format("{}, before -> after:\n", unchanged.model->config.name) + memory_line(unchanged, planned) +
         speed_line(directory) + text_line(quality) + retrieval_line(quality) +
         summary_line("serve it", "layerboost serve " + name) +
         summary_line("the page", fs::absolute(directory / boost_name::page).string());
}

}  // namespace layerboost
