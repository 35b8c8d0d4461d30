#include "app/speed.h"

#include <utility>

#include "artifact/model_files.h"
#include "base/error.h"
#include "engine/throughput_roofline.h"

namespace layerboost {
namespace {

constexpr double mebibyte = 1 << 20;

void print_header(const Print& print) {
  print(fmt::format("{:>6} {:>5} {:>5} {:>8} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9} {:>10} {:>9}\n", "PP", "TG", "B",
                    "N_KV", "T_PP s", "S_PP t/s", "T_TG s", "S_TG t/s", "T s", "S t/s", "cache MiB", "RSS MiB"));
}

void print_row(const Print& print, const ThroughputRow& row) {
  const double total = row.prompt_seconds + row.generate_seconds;
  const int positions = row.batch * (row.prompt + row.generate);
  print(
      fmt::format("{:>6} {:>5} {:>5} {:>8} {:>9.3f} {:>9.1f} {:>9.3f} {:>9.1f} {:>9.3f} {:>9.1f} {:>10.1f} {:>9.0f}\n",
                  row.prompt, row.generate, row.batch, positions, row.prompt_seconds, row.prompt_speed(),
                  row.generate_seconds, row.generate_speed(), total, positions / total,
                  static_cast<double>(row.cache_bytes) / mebibyte, static_cast<double>(row.rss_bytes) / mebibyte));
}

Json print_roofline(const Print& print, const ThroughputRow& row, const Roofline& roofline) {
  const double prompt_share = roofline.prompt_seconds / row.prompt_seconds,
               generate_share = roofline.generate_seconds() / row.generate_seconds;
  print(fmt::format(
      "{:>27} {:>9.3f} {:>8.0f}% {:>9.3f} {:>8.0f}%   products {:.3f} s, caches {:.3f} s at {:.1f} GB/s\n", "roofline",
      roofline.prompt_seconds, 100 * prompt_share, roofline.generate_seconds(), 100 * generate_share,
      roofline.generate_product_seconds, roofline.generate_cache_seconds, roofline.bandwidth * 1e-9));
  return {{"pp", row.prompt},
          {"pl", row.batch},
          {"t_pp", roofline.prompt_seconds},
          {"t_tg_products", roofline.generate_product_seconds},
          {"t_tg_caches", roofline.generate_cache_seconds},
          {"bandwidth", roofline.bandwidth},
          {"share_pp", prompt_share},
          {"share_tg", generate_share}};
}

/// Where the seconds of both parts went, in the mean of the runs.
Json print_profile(const Print& print, const ThroughputRow& row) {
  Json phases = Json::object();
  for (const StepPhase phase : StepTimes::all()) {
    const double prompt = row.prompt_times.seconds(phase) / row.runs,
                 generate = row.generate_times.seconds(phase) / row.runs;
    print(fmt::format("{:>27} {:>9.3f} {:>8.1f}% {:>9.3f} {:>8.1f}%\n", name_of(phase), prompt,
                      100 * prompt / row.prompt_seconds, generate, 100 * generate / row.generate_seconds));
    phases[name_of(phase)] = {{"t_pp", prompt}, {"t_tg", generate}};
  }
  print(fmt::format("{:>27} {:>9.1f} MiB\n", "scratch memory", static_cast<double>(row.scratch_bytes) / mebibyte));
  return {{"pp", row.prompt}, {"pl", row.batch}, {"phases", phases}, {"scratch_bytes", row.scratch_bytes}};
}

}  // namespace

Json measure_speed(const OpenedModel& opened, const MixerList& mixers, const SpeedOptions& options,
                   const Print& print) {
  Json report = {{"rows", Json::array()},
                 {"weights_bytes", opened.model->weights.bytes() + opened.mixers->projection_bytes()}};
  if (options.roofline) report["roofline"] = Json::array();
  if (options.profile) report["profile"] = Json::array();
  print_header(print);
  for (const int prompt : options.prompts) {
    for (const int batch : options.batches) {
      const ThroughputRow row =
          run_throughput(*opened.model, mixers, batch, prompt, options.generate, options.step_tokens);
      print_row(print, row);
      report["rows"].push_back(row.to_json());
      if (options.profile) report["profile"].push_back(print_profile(print, row));
      if (options.roofline)
        report["roofline"].push_back(print_roofline(print, row, measure_roofline(*opened.model, mixers, row)));
    }
  }
  return report;
}

OpenedLadder open_levels(const std::string& model, const std::string& plan, const std::vector<int>& levels,
                         const ComputeOptions& compute) {
  if (!plan.empty()) fail("`level`: not with `plan`, for a ladder has its own");
  const ModelFiles files = find_ladder_files(model);
  for (const int level : levels) check_level(*files.ladder, level);
  constexpr bool needs_text = false;  // prompts are random tokens
  return open_ladder(files, compute.precision, compute.kv, needs_text);
}

Json measure_speed_of_levels(const OpenedLadder& ladder, const std::vector<int>& levels, const SpeedOptions& options,
                             const Print& print) {
  Json report;
  for (const int level : levels) {
    print(fmt::format("{}level {} of {}:\n", report.empty() ? "" : "\n", level, ladder.ladder.top()));
    Json part = measure_speed(ladder.opened, ladder.list(level), options, print);
    for (const char* const list : {"rows", "roofline", "profile"}) {
      if (!part.contains(list)) continue;
      for (Json& row : part[list]) {
        row["level"] = level;
        if (const std::string plan = ladder.plan_hash(level); !plan.empty()) row["plan"] = plan;
        if (!report.empty()) report[list].push_back(row);
      }
    }
    if (report.empty()) report = std::move(part);
  }
  return report;
}

}  // namespace layerboost
