#include "report/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <regex>
#include <string>
#include <vector>

#include "artifact/ladder.h"
#include "artifact/plan.h"
#include "base/error_for_tests.h"
#include "base/temporary_path_for_tests.h"
#include "report/report_data.h"

namespace layerboost {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

const fs::path testdata = fs::path(LAYERBOOST_SOURCE_DIR) / "src/report/testdata";

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t found = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
  return found;
}

/// A directory as boost leaves it: the test data, measured with the plan that is there.
void make_boosted(const fs::path& dir) {
  fs::create_directories(dir);
  fs::copy(testdata, dir, fs::copy_options::recursive | fs::copy_options::overwrite_existing);
  for (const char* file : {"quality.plan.json", "speed.plan.json"}) {
    Json json = read_json(dir / file);
    json["run"]["plan"] = read_plan(dir / "plan.json").hash();
    write_json(dir / file, json);
  }
}

/// Keeps the named files of `dir` only.
void keep_only(const fs::path& dir, const std::vector<std::string>& names) {
  for (const fs::path& path : std::vector<fs::path>(fs::directory_iterator(dir), {})) {
    if (std::find(names.begin(), names.end(), path.filename()) == names.end()) fs::remove(path);
  }
}

/// What heal leaves, with a last line that was cut short.
void add_healing(const fs::path& dir, const std::string& plan_hash) {
  write_json(dir / "heal.json", {{"format", "layerboost-heal"},
                                 {"version", 1},
                                 {"plan", plan_hash},
                                 {"adapter", "sha256:1234"},
                                 {"figures",
                                  {{"steps", 1000},
                                   {"tokens", 8'192'000},
                                   {"seconds", 13600},
                                   {"before", {{"kl", 0.08}, {"perplexity", 13.6}, {"teacher_perplexity", 12.7}}},
                                   {"after", {{"kl", 0.01}, {"perplexity", 13.1}, {"teacher_perplexity", 12.7}}}}}});
  std::string log = R"({"step": 0, "valid": {"kl": 0.08, "perplexity": 13.6}})"
                    "\n";
  for (int step = 1; step <= 1000; ++step)
    log += fmt::format(R"({{"step": {}, "tokens": {}, "kl": {}}})"
                       "\n",
                       step, 8192 * step, 1.0 / step);
  log += R"({"step": 1000, "valid": {"kl": 0.01, "perplexity": 13.1}})"
         "\n{\"step\": 1001, \"tok";
  write_file(dir / "log.jsonl", log);
}

/// A ladder of 30 layers and 24 rungs, four of which change a layer again, as `layerboost ladder` leaves it. Levels 7
/// to 9 weren't measured.
void make_ladder(const fs::path& dir, const std::string& model_hash) {
  fs::create_directories(dir);
  Ladder ladder;
  ladder.model_name = "SmolLM2-135M-Instruct";
  ladder.model_hash = model_hash;
  ladder.level_0.assign(30, parse_mixer("softmax"));
  for (int i = 0; i < 24; ++i)
    ladder.rungs.push_back({(7 * (i % 20) + 3) % 30, parse_mixer(i < 20   ? "window:512+4"
                                                                 : i < 23 ? "window:128+4"
                                                                          : "none")});
  ladder.quality.resize(25);
  for (int level = 0; level <= 24; ++level) {
    if (level >= 7 && level <= 9) continue;
    LevelQuality quality;
    quality.mixers = ladder.level_hash(level);
    quality.kl = 4e-4 * level * level;
    quality.kl_error = 0.05 * quality.kl;
    quality.perplexity_ratio = 1 + 3e-4 * level * level;
    quality.perplexity_ratio_error = 1e-3 * level;
    quality.perplexity = 15.7 * quality.perplexity_ratio;
    for (const int length : {1024, 4096}) {
      const double kept = 1 - 6e-6 * level * length;
      quality.retrieval.push_back({length, 0.6 * kept, kept, 0.01 * level});
    }
    quality.kv_fraction = 1 - 0.03 * level;
    quality.kv_bytes = static_cast<std::int64_t>(47'185'920 * quality.kv_fraction);
    quality.speedup = 1 + 0.02 * level;
    if (level % 2 == 0) quality.decode_speed = 1200 * (1 + 0.018 * level);
    ladder.quality[static_cast<std::size_t>(level)] = quality;
  }
  ladder.measured_on = {{"text", "valid.jsonl"}, {"text_hash", "sha256:12"},
                        {"windows", 16},         {"window", 1024},
                        {"decode", "64x1024"},   {"unchanged", {{"perplexity", 15.7}, {"decode_speed", 1200.0}}}};
  ladder.run = {{"version", "0.1.0"}, {"command", "layerboost ladder smollm2-135m -o ladder"}, {"seconds", 4000}};
  write_ladder(ladder_file(dir), ladder);
}

/// What a ladder.json may say that no ladder says: names that are markup, numbers at the ends, and objects of other
/// forms where nothing reads them.
void make_hostile(const fs::path& file) {
  const std::string name =
      "</script><script>alert(1)</script><img src=x onerror=alert(2)> {{data}} " + std::string(500, 'w');
  Json json = read_json(file);
  json["model"]["name"] = name;
  for (Json& figures : json["quality"]) figures["perplexity_ratio_stderr"] = -1;
  Json& figures = json["quality"][3];
  figures["kl"] = 1e308;
  figures["kl_stderr"] = 1e308;
  figures["perplexity_ratio"] = 1e308;
  figures["perplexity_ratio_stderr"] = 1e308;
  figures["kv_fraction"] = 1e300;
  figures["speedup"] = 1e-300;
  figures["retrieval"][0]["kept"] = 1e308;
  json["quality"][4]["kl"] = -5;
  json["measured_on"] = {{"text", name},
                         {"windows", "many"},
                         {"window", {1}},
                         {"decode", Json::object()},
                         {"unchanged", {{"decode_speed", "fast"}}},
                         {"text_hash", {name}},
                         {"__proto__", {{"text", 1}}}};
  json["run"] = {
      {"command", {name}}, {"cpu", {{"toString", 1}}}, {"threads", name}, {"seconds", "long"}, {"version", name}};
  json["options"] = {{"constructor", name}};
  write_json(file, json);
}

/// As where boost had no --eval-text, for a model of few positions, in several runs.
void use_own_text(const fs::path& dir) {
  for (const char* file : {"quality.base.json", "quality.plan.json", "quality.healed.json"}) {
    Json json = read_json(dir / file);
    json["data"]["text"] = {{"file", "out/written.txt"}, {"hash", "sha256:12"}, {"written_by_model", true}};
    write_json(dir / file, json);
  }
  Json boost = read_json(dir / "boost.json");
  boost["model"]["positions"] = 2048;
  boost["runs"] = 3;
  write_json(dir / "boost.json", boost);
}

/// A boosted directory, of its own for each test.
class Report : public ::testing::Test {
 protected:
  void SetUp() override {
    dir_ = test::temporary_path("report");
    fs::remove_all(dir_);
    make_boosted(dir_);
  }
  void TearDown() override { fs::remove_all(dir_); }

  /// Changes one JSON file of the directory.
  template <typename Change>
  void edit(const std::string& file, const Change& change) {
    Json json = read_json(dir_ / file);
    change(json);
    write_json(dir_ / file, json);
  }
  std::string page() {
    write_report(dir_);
    return read_file(dir_ / "report.html");
  }
  /// The page's data as a browser's JSON.parse would see it.
  Json data_of(const std::string& html) {
    const std::string open = "<script type=\"application/json\" id=\"data\">";
    const std::size_t begin = html.find(open) + open.size();
    return parse_json(html.substr(begin, html.find("</script>", begin) - begin), "page");
  }

  fs::path dir_;
};

TEST_F(Report, NeedsNothingButItself) {
  const std::string html = page();
  EXPECT_FALSE(std::regex_search(html, std::regex(R"((src|href)\s*=\s*["']?(https?:)?//)")));
  EXPECT_THAT(html, Not(HasSubstr("<link")));
  EXPECT_THAT(html, Not(HasSubstr("@import")));
  EXPECT_THAT(html, HasSubstr("default-src 'none'"));
  EXPECT_THAT(html, HasSubstr("Chart.js v"));
  EXPECT_THAT(html, Not(HasSubstr("{{")));
}

TEST_F(Report, HoldsWhatTheKindsOfMixerSayOfThemselves) {
  const std::string html = page();
  EXPECT_THAT(html, HasSubstr(R"(const mixerKinds = {"softmax":{"letter":"F","name":"full attention",)"));
  EXPECT_THAT(html, HasSubstr(R"("gated":{"letter":"G","name":"fading summary and window of {window}",)"));
}

TEST_F(Report, HoldsTheData) {
  const std::string html = page();
  const Json data = data_of(html);
  EXPECT_EQ(data, collect_report(dir_));
  EXPECT_EQ(data["analysis"]["layers"].size(), 30u);
  EXPECT_EQ(data["plan_hash"], read_plan(dir_ / "plan.json").hash());
  EXPECT_EQ(data["plan"]["layers"].size(), 30u);
  EXPECT_EQ(data["curve"], read_json(dir_ / "curve.json"));
  EXPECT_THAT(html, HasSubstr("<title>SmolLM2-135M-Instruct, boosted</title>"));
}

TEST_F(Report, SaysWhatLayersKeepBesideTokens) {
  keep_only(dir_, {"boost.json", "plan.json", "analysis.json"});
  edit("plan.json", [](Json& json) {
    json["layers"][3] = {{"layer", 3}, {"mixer", "hybrid"}, {"window", 64}, {"sinks", 4}};
    json["layers"][4] = {{"layer", 4}, {"mixer", "dual_state"}};
  });
  const Json kept = collect_report(dir_)["beside_tokens"];
  ASSERT_EQ(kept.size(), 30U);
  EXPECT_EQ(kept[2], Json());
  EXPECT_EQ(kept[3], (Json{{"from", 69}, {"bytes", 4 * 9 * 64 * 65}}));
  EXPECT_EQ(kept[4], (Json{{"from", 1}, {"bytes", 4 * 2 * 3 * 64 * 64}}));
  fs::remove(dir_ / "analysis.json");
  EXPECT_FALSE(collect_report(dir_).contains("beside_tokens"));
}

TEST_F(Report, LeavesOutTheDifferences) {
  edit("analysis.json", [](Json& json) {
    json["layers"][0]["choices"]["none"]["kl"]["differences"] = {0.1, 0.2};
    json["base"]["nll"]["differences"] = {2.5};
  });
  EXPECT_THAT(collect_report(dir_).dump(), Not(HasSubstr("differences")));
}

TEST_F(Report, OrdersTheStatesOfTheModel) {
  fs::copy(dir_ / "quality.plan.json", dir_ / "quality.healed.json");
  fs::copy(dir_ / "quality.plan.json", dir_ / "quality.again.json");
  std::vector<std::string> names;
  const Json data = collect_report(dir_);
  for (const Json& state : data["quality"]) names.push_back(state["name"]);
  EXPECT_THAT(names, ElementsAre("base", "plan", "again", "healed"));
}

TEST_F(Report, ShowsHealing) {
  add_healing(dir_, read_plan(dir_ / "plan.json").hash());
  const Json healing = collect_report(dir_)["healing"];
  EXPECT_EQ(healing["figures"]["steps"], 1000);
  ASSERT_EQ(healing["curve"].size(), 300u);
  EXPECT_EQ(healing["curve"].back()[0], 8'192'000);
  EXPECT_NEAR(healing["curve"][0][1].get<double>(), 1.0 / 2, 0.2);  // the mean of the first three or four
  ASSERT_EQ(healing["measured"].size(), 2u);
  EXPECT_EQ(healing["measured"][1]["tokens"], 8'192'000);
  EXPECT_EQ(healing["measured"][1]["kl"], 0.01);
  add_healing(dir_, "sha256:another");
  EXPECT_FALSE(collect_report(dir_).contains("healing"));
}

TEST_F(Report, LeavesOutWhatIsMissing) {
  keep_only(dir_, {"boost.json", "plan.json"});
  const Json data = data_of(page());
  EXPECT_FALSE(data.contains("analysis"));
  EXPECT_TRUE(data["quality"].empty());
  EXPECT_TRUE(data.contains("plan"));
}

TEST_F(Report, NamesCannotBreakOut) {
  const std::string name = "</script><script>alert(1)</script><!-- {{data}} \xe2\x80\xa8 &\"'\xff";
  const std::size_t scripts = count(page(), "</script");
  edit("boost.json", [&](Json& json) { json["model"]["name"] = "</title>\u2028" + name; });
  edit("analysis.json", [&](Json& json) { json["data"]["source"] = name; });
  const std::string html = page();
  EXPECT_EQ(count(html, "</script"), scripts);
  EXPECT_EQ(count(html, "</title"), 1u);
  EXPECT_EQ(count(html, "alert(1)&lt;"), 1u);  // the title
  EXPECT_THAT(data_of(html)["analysis"]["data"]["source"].get<std::string>(),
              HasSubstr("</script><script>alert(1)</script><!-- {{data}} \xe2\x80\xa8"));
  const std::string script = json_for_script(read_json(dir_ / "boost.json"));
  EXPECT_THAT(script, Not(HasSubstr("<")));
  EXPECT_THAT(script, Not(HasSubstr("\xe2\x80\xa8")));
}

TEST_F(Report, RefusesWhatBoostDidNotWrite) {
  const auto write = [&] { write_report(dir_); };
  EXPECT_THAT(test::error_of([] { write_report("/nowhere"); }), HasSubstr("/nowhere: no such directory"));
  edit("plan.json", [](Json& json) { json["format"] = "something"; });
  EXPECT_THAT(test::error_of(write), HasSubstr("plan.json: \"format\" is \"something\""));
  fs::remove(dir_ / "plan.json");
  edit("analysis.json", [](Json& json) { json["version"] = 2; });
  EXPECT_THAT(test::error_of(write), HasSubstr("analysis.json: \"version\" is 2"));
  fs::remove(dir_ / "boost.json");
  EXPECT_THAT(test::error_of(write), HasSubstr("no boost.json or ladder.json in it"));
  EXPECT_FALSE(fs::exists(dir_ / "report.html"));
}

TEST_F(Report, RefusesWhatDoesNotBelongTogether) {
  const auto write = [&] { write_report(dir_); };
  edit("plan.json", [](Json& json) { json["layers"][3] = {{"layer", 3}, {"mixer", "softmax"}}; });
  EXPECT_THAT(test::error_of(write), HasSubstr("quality.plan.json: measured with plan sha256:"));
  edit("analysis.json", [](Json& json) { json["model"]["hash"] = "5678"; });
  EXPECT_THAT(test::error_of(write), HasSubstr("analysis.json: made from model 5678, but boost.json is of model "));
}

TEST_F(Report, ShowsALadderAlone) {
  const std::string model = read_plan(dir_ / "plan.json").model_hash;
  keep_only(dir_, {"analysis.json"});
  make_ladder(dir_, model);
  const std::string html = page();
  EXPECT_THAT(html, HasSubstr("<title>SmolLM2-135M-Instruct, a ladder</title>"));
  const Json data = data_of(html);
  EXPECT_FALSE(data.contains("boost"));
  EXPECT_EQ(data["analysis"]["layers"].size(), 30u);
  EXPECT_EQ(data["ladder"]["level_0"]["mixers"].size(), 30u);
  EXPECT_EQ(data["ladder"]["rungs"].size(), 24u);
  EXPECT_EQ(data["ladder"]["rungs"][23], (Json{{"layer", 24}, {"mixer", "none"}}));
  ASSERT_EQ(data["ladder"]["quality"].size(), 22u);
  EXPECT_EQ(data["ladder"]["quality"][7]["level"], 10);  // 7 to 9 are missing, not zero
  EXPECT_EQ(data["ladder"]["quality"][7]["kl"], 0.04);
}

TEST_F(Report, ShowsABoostsLadder) {
  const fs::path elsewhere = dir_ / "elsewhere";
  const std::string model = read_plan(dir_ / "plan.json").model_hash;
  EXPECT_FALSE(collect_report(dir_).contains("ladder"));
  make_ladder(elsewhere, model);
  const Json data = collect_report(dir_, elsewhere);
  EXPECT_EQ(data["ladder"]["rungs"].size(), 24u);
  EXPECT_EQ(data["plan"]["layers"].size(), 30u);
  make_ladder(dir_, model);
  EXPECT_EQ(collect_report(dir_)["ladder"], data["ladder"]);
}

TEST_F(Report, LeavesOutFiguresOfLevelsThatHaveChanged) {
  make_ladder(dir_, read_plan(dir_ / "plan.json").model_hash);
  edit("ladder.json", [](Json& json) {
    json["rungs"].erase(22);
    json["quality"].push_back(json["quality"][2]);
    json["quality"].back()["level"] = 99;
  });
  const Json ladder = collect_report(dir_)["ladder"];
  EXPECT_EQ(ladder["rungs"].size(), 23u);
  EXPECT_EQ(ladder["quality"].size(), 20u);  // 0 to 6 and 10 to 22
  EXPECT_EQ(ladder["quality"].back()["level"], 22);
}

TEST_F(Report, AHostileLadderCannotBreakOut) {
  const std::size_t scripts = count(page(), "</script");
  make_ladder(dir_, read_plan(dir_ / "plan.json").model_hash);
  make_hostile(dir_ / "ladder.json");
  fs::remove(dir_ / "boost.json");
  const std::string html = page();
  EXPECT_EQ(count(html, "</script"), scripts);
  EXPECT_EQ(count(html, "<img"), 0u);
  EXPECT_EQ(data_of(html)["ladder"]["quality"].size(), 22u);
}

TEST_F(Report, RefusesLaddersThatDoNotBelong) {
  const fs::path elsewhere = dir_ / "elsewhere";
  EXPECT_THAT(test::error_of([&] { write_report(dir_, elsewhere); }), HasSubstr("elsewhere: no ladder.json in it"));
  make_ladder(elsewhere, "sha256:5678");
  EXPECT_THAT(test::error_of([&] { write_report(dir_, elsewhere); }),
              HasSubstr("ladder.json: of model sha256:5678, but boost.json is of model sha256:"));
  EXPECT_THAT(test::error_of([&] { write_report(elsewhere, dir_); }), HasSubstr("elsewhere: a ladder itself"));
  fs::copy(dir_ / "analysis.json", elsewhere / "analysis.json");
  EXPECT_THAT(test::error_of([&] { write_report(elsewhere); }),
              HasSubstr("but ladder.json is of model sha256:5678; run layerboost ladder again"));
  write_file(elsewhere / "ladder.json", "[]");
  EXPECT_THAT(test::error_of([&] { write_report(elsewhere); }), HasSubstr("ladder.json: "));
  EXPECT_FALSE(fs::exists(elsewhere / "report.html"));
}

// Writes the pages that scripts/check-page.sh opens: one with everything, one with three states of the model and a
// ladder, one with little more than a plan, a ladder alone, and one that wants to break the page; see
// cmake/embed.cmake.
TEST(Page, IsWrittenForTheBrowser) {
  const char* const folder = std::getenv("LAYERBOOST_PAGE_DIR");
  if (folder == nullptr) GTEST_SKIP() << "LAYERBOOST_PAGE_DIR says where; set by ctest's page.write";
  for (const std::string name : {"full", "healed", "sparse", "ladder", "hostile"}) {
    const fs::path dir = fs::path(folder) / name;
    fs::remove_all(dir);
    make_boosted(dir);
    if (name == "sparse") keep_only(dir, {"boost.json", "plan.json"});
    if (name == "healed") {
      for (const std::string part : {"quality", "speed"})
        fs::copy(dir / (part + ".plan.json"), dir / (part + ".healed.json"));
      add_healing(dir, read_plan(dir / "plan.json").hash());
      use_own_text(dir);
      Json analysis = read_json(dir / "analysis.json");
      analysis["data"]["estimated"] = true;
      write_json(dir / "analysis.json", analysis);
    }
    const std::string model = read_plan(dir / "plan.json").model_hash;
    if (name == "ladder" || name == "hostile") keep_only(dir, {"analysis.json"});
    if (name == "healed" || name == "ladder" || name == "hostile") make_ladder(dir, model);
    if (name == "hostile") make_hostile(dir / "ladder.json");
    write_report(dir);
    EXPECT_GT(fs::file_size(dir / "report.html"), 200'000u);
  }
}

}  // namespace
}  // namespace layerboost
