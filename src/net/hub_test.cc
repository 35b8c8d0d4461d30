#include "net/hub.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <utility>

#include "base/error_for_tests.h"
#include "base/json.h"
#include "base/temporary_path_for_tests.h"
#include "net/loopback_server.h"

namespace layerboost {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using Answer = LoopbackServer::Answer;
using Request = LoopbackServer::Request;

const std::string weights = [] {
  std::string bytes;
  for (int i = 0; i < 50000; ++i) bytes += static_cast<char>(i * 7 % 251);
  return bytes;
}();
const std::string config = "{\"hello\": 1}\n";
constexpr const char* config_git_sha1 = "e58d211170723b417fc6eaa63b3193479dec5f05";

const HubFile weights_file = {"model.safetensors", 50000, sha256(weights), ""};

/// The part of `body` that the request asks for, as a good server sends it.
Answer ranged(const Request& request, const std::string& body) {
  const auto offset = static_cast<std::size_t>(request.offset);
  if (offset == 0) return {200, body, "", {}};
  if (offset >= body.size()) return {416, "", "", {}};
  return {206, body.substr(offset), "", {}};
}

/// A folder to fetch into, and a hub that waits only milliseconds between its attempts.
class HubTest : public testing::Test {
 protected:
  HubTest() { fs::remove_all(folder_); }
  ~HubTest() override { fs::remove_all(folder_); }

  void serve(LoopbackServer::Handler handler) {
    server_ = std::make_unique<LoopbackServer>(std::move(handler));
    hub_ =
        std::make_unique<Hub>(Hub::Source{server_->url() + "/", "secret", "org/name", "main"}, Hub::Patience{3, 0.001});
  }
  void fetch() {
    arrived_ = 0;
    hub_->fetch(weights_file, target_, [this](std::int64_t n) { arrived_ += n; });
  }
  std::string fetch_message() {
    return test::error_of([this] { fetch(); });
  }
  void expect_nothing_kept() const {
    EXPECT_FALSE(fs::exists(target_));
    EXPECT_FALSE(fs::exists(part_of(target_)));
  }

  const fs::path folder_ = test::temporary_path("hub_test");
  const fs::path target_ = folder_ / "model.safetensors";
  std::unique_ptr<LoopbackServer> server_;
  std::unique_ptr<Hub> hub_;
  std::int64_t arrived_ = 0;
};

TEST_F(HubTest, ListsTheTree) {
  serve([](const Request&) {
    return Answer{200,
                  R"([{"type": "directory", "path": "onnx", "oid": "00", "size": 0},
                      {"type": "file", "path": "config.json", "oid": "ab", "size": 13},
                      {"type": "file", "path": "onnx/model.onnx", "oid": "cd", "size": 9, "lfs": {"oid": "ef", "size": 900}}])",
                  "",
                  {}};
  });
  const auto files = hub_->list();
  ASSERT_EQ(files.size(), 2U);
  EXPECT_EQ(files[0].path, "config.json");
  EXPECT_EQ(files[0].size, 13);
  EXPECT_EQ(files[0].git_sha1, "ab");
  EXPECT_EQ(files[1].path, "onnx/model.onnx");
  EXPECT_EQ(files[1].size, 900);
  EXPECT_EQ(files[1].sha256, "ef");
  EXPECT_EQ(files[1].git_sha1, "");
  EXPECT_EQ(server_->requests().at(0).path, "/api/models/org/name/tree/main?recursive=true");
  EXPECT_EQ(server_->requests().at(0).authorization, "Bearer secret");
}

TEST_F(HubTest, ListsTheSiblingsWhereThereIsNoTree) {
  serve([](const Request& request) {
    if (request.path.find("/tree/") != std::string::npos) return Answer{404, "", "", {}};
    return Answer{
        200,
        R"({"siblings": [{"rfilename": "a"}, {"rfilename": "b", "size": 5, "lfs": {"sha256": "ef", "size": 5}}]})",
        "",
        {}};
  });
  const auto files = hub_->list();
  ASSERT_EQ(files.size(), 2U);
  EXPECT_EQ(files[0].size, -1);
  EXPECT_EQ(files[1].sha256, "ef");
}

TEST_F(HubTest, RefusesNamesOutsideTheFolder) {
  for (const char* name : {"../x", "a/../../x", "/etc/x", "a\\\\x", "", "a\\u0000"}) {
    serve([&](const Request&) {
      return Answer{200, fmt::format(R"([{{"type": "file", "path": "{}"}}])", name), "", {}};
    });
    EXPECT_THAT(test::error_of([&] { hub_->list(); }), HasSubstr("unsafe name")) << name;
  }
}

TEST_F(HubTest, SaysWhatIsMissing) {
  serve([](const Request&) { return Answer{404, "", "", {}}; });
  EXPECT_THAT(test::error_of([&] { hub_->list(); }), HasSubstr("no model org/name with revision main"));
  EXPECT_THAT(fetch_message(), HasSubstr("model.safetensors: not at http://127.0.0.1"));
  serve([](const Request&) { return Answer{401, "<html>", "", {}}; });
  EXPECT_THAT(test::error_of([&] { hub_->list(); }),
              AllOf(HasSubstr("org/name"), HasSubstr("HF_TOKEN"), HasSubstr("401")));
  EXPECT_EQ(server_->requests().size(), 1U);
  serve([](const Request&) { return Answer{200, "<html>", "", {}}; });
  EXPECT_THAT(test::error_of([&] { hub_->list(); }), HasSubstr("not valid JSON"));
}

TEST_F(HubTest, FetchesAndChecks) {
  serve([](const Request& request) { return ranged(request, weights); });
  fetch();
  EXPECT_EQ(read_file(target_), weights);
  EXPECT_EQ(arrived_, 50000);
  EXPECT_FALSE(fs::exists(part_of(target_)));
  EXPECT_EQ(server_->requests().at(0).path, "/org/name/resolve/main/model.safetensors");
}

TEST_F(HubTest, GoesOnAfterLostConnections) {
  serve([](const Request& request) {
    Answer answer = ranged(request, weights);
    answer.sent = 9000;  // of 50000: more losses than attempts, but each brings something
    return answer;
  });
  fetch();
  EXPECT_EQ(read_file(target_), weights);
  EXPECT_EQ(arrived_, 50000);
  EXPECT_EQ(server_->requests().size(), 6U);
  EXPECT_EQ(server_->requests().at(1).offset, 9000);
}

TEST_F(HubTest, GoesOnWhereAnEarlierCallStopped) {
  serve([](const Request& request) { return ranged(request, weights); });
  write_file(part_of(target_), weights.substr(0, 40000));
  fetch();
  EXPECT_EQ(read_file(target_), weights);
  EXPECT_EQ(arrived_, 10000);
}

TEST_F(HubTest, StartsAgainWhereTheServerKnowsNoRanges) {
  serve([](const Request&) { return Answer{200, weights, "", {}}; });
  write_file(part_of(target_), "other bytes");
  fetch();
  EXPECT_EQ(read_file(target_), weights);
}

TEST_F(HubTest, StartsAgainWhenThePartIsOfAnotherVersion) {
  serve([](const Request& request) { return ranged(request, weights); });
  write_file(part_of(target_), std::string(60000, 'x'));  // beyond the end: 416
  fetch();
  EXPECT_EQ(read_file(target_), weights);
  write_file(part_of(target_), std::string(300, 'x'));  // the hash tells
  fetch();
  EXPECT_EQ(read_file(target_), weights);
}

TEST_F(HubTest, KeepsNothingDamaged) {
  serve([](const Request& request) { return ranged(request, std::string(50000, 'x')); });
  EXPECT_THAT(fetch_message(), AllOf(HasSubstr("model.safetensors"), HasSubstr("SHA-256")));
  expect_nothing_kept();
  serve([](const Request& request) { return ranged(request, "short"); });
  EXPECT_THAT(fetch_message(), HasSubstr("5 bytes instead of 50000"));
  expect_nothing_kept();
}

TEST_F(HubTest, ChecksGitHashes) {
  write_file(folder_ / "config.json", config);
  EXPECT_EQ(mismatch({"config.json", 13, "", config_git_sha1}, folder_ / "config.json"), "");
  EXPECT_THAT(mismatch({"config.json", 13, "", sha256(config).substr(0, 40)}, folder_ / "config.json"),
              HasSubstr("git hash"));
}

TEST_F(HubTest, AsksAgainWhenTheServerIsBusyAndGivesUpInTheEnd) {
  int left = 2;
  serve([&](const Request& request) { return left-- > 0 ? Answer{503, "busy", "", {}} : ranged(request, weights); });
  fetch();
  EXPECT_EQ(read_file(target_), weights);
  serve([](const Request&) { return Answer{503, "busy", "", {}}; });
  EXPECT_THAT(fetch_message(), HasSubstr("503"));
  EXPECT_EQ(server_->requests().size(), 3U);
}

TEST_F(HubTest, SaysThatItTriesAgain) {
  bool first = true;
  serve([&](const Request& request) {
    return std::exchange(first, false) ? Answer{500, "", "", {}} : ranged(request, weights);
  });
  testing::internal::CaptureStderr();
  fetch();
  EXPECT_EQ(
      testing::internal::GetCapturedStderr(),
      fmt::format("layerboost: model.safetensors: {} answers 500 (Internal Server Error); trying again in 0.001 s "
                  "(1 of 2)\n",
                  server_->url()));
}

TEST_F(HubTest, WaitsAsLongAsTheHubAsksWithinReason) {
  bool first = true;
  serve([&](const Request& request) {
    return std::exchange(first, false) ? Answer{429, "", "", {}, 1} : ranged(request, weights);
  });
  testing::internal::CaptureStderr();
  fetch();
  EXPECT_THAT(testing::internal::GetCapturedStderr(),
              HasSubstr("429 (Too Many Requests); trying again in 1 s (1 of 2)"));
  EXPECT_EQ(read_file(target_), weights);
  fs::remove(target_);
  serve([](const Request&) { return Answer{503, "", "", {}, 3600}; });
  EXPECT_THAT(fetch_message(), HasSubstr("503 (Service Unavailable); try again after 3600 s, as it asks"));
  EXPECT_EQ(server_->requests().size(), 1U);
}

TEST_F(HubTest, CutsOffWhatIsLongerThanListed) {
  const std::string longer = weights + weights;
  serve([&](const Request& request) { return ranged(request, longer); });
  EXPECT_THAT(fetch_message(), HasSubstr("more arrives than the 50000 bytes"));
  EXPECT_LE(arrived_, 50000);
  expect_nothing_kept();
  write_file(part_of(target_), weights.substr(0, 100));
  EXPECT_THAT(fetch_message(), HasSubstr("more arrives than the 50000 bytes"));
  expect_nothing_kept();
}

TEST_F(HubTest, BeginsAnewWhereMoreWasKeptThanIsListed) {
  write_file(part_of(target_), weights + weights);
  serve([](const Request& request) { return ranged(request, weights); });
  fetch();
  EXPECT_EQ(read_file(target_), weights);
  EXPECT_EQ(server_->requests().at(0).offset, 0);
}

TEST_F(HubTest, RefusesListsThatAreNone) {
  const auto message_for = [&](const std::string& list) {
    serve([&](const Request&) { return Answer{200, list, "", {}}; });
    return test::error_of([this] { hub_->list(); });
  };
  EXPECT_THAT(message_for("[" + std::string(17 << 20, ' ') + "]"), HasSubstr("goes on after 16 MiB"));
  EXPECT_THAT(message_for(R"({"siblings": {"a": 1}})"), HasSubstr("isn't a list"));
  EXPECT_THAT(message_for(R"([{"path": "a", "size": -7}])"), HasSubstr("impossible size -7"));
  EXPECT_THAT(message_for(R"([{"path": "a", "size": 1e300}])"), HasSubstr("impossible size"));
  EXPECT_THAT(message_for(R"([{"path": "a", "lfs": {"size": 9223372036854775807}}])"), HasSubstr("impossible size"));
  EXPECT_THAT(message_for(R"([{"path": ")" + std::string(300, 'a') + R"("}])"), HasSubstr("unsafe name"));
  Json many = {{"siblings", Json::array()}};
  for (int i = 0; i < 20001; ++i) many["siblings"].push_back({{"rfilename", fmt::format("{}", i)}});
  EXPECT_THAT(message_for(many.dump()), HasSubstr("20001 entries"));
}

TEST_F(HubTest, AsksForTheWholeListWhereATreeIsInPages) {
  Json page = Json::array();
  for (int i = 0; i < 1000; ++i) page.push_back({{"path", fmt::format("{}", i)}});
  serve([&](const Request& request) {
    const bool tree = request.path.find("/tree/") != std::string::npos;
    return Answer{200, tree ? page.dump() : R"({"siblings": [{"rfilename": "the last one"}]})", "", {}};
  });
  const auto files = hub_->list();
  ASSERT_EQ(files.size(), 1U);
  EXPECT_EQ(files[0].path, "the last one");
}

TEST_F(HubTest, TakesLittleOfAPageThatExplainsAnError) {
  serve([](const Request&) { return Answer{403, std::string(64 << 20, 'x'), "", {}}; });
  EXPECT_THAT(fetch_message(), HasSubstr("does not let the owner of this token read it (403)"));
  EXPECT_LT(server_->taken(), std::size_t{32} << 20);
}

TEST_F(HubTest, GivesUpWhenNothingNewArrives) {
  serve([](const Request&) { return Answer{200, weights, "", 100}; });
  EXPECT_THAT(fetch_message(), HasSubstr("cannot fetch from http://127.0.0.1"));
  EXPECT_FALSE(fs::exists(target_));
}

TEST_F(HubTest, DoesNotShowTheTokenToOtherHosts) {
  serve([this](const Request& request) {
    const bool first = request.host.starts_with("127.0.0.1");
    return first ? Answer{302, "", server_->url("localhost") + "/cdn", {}} : ranged(request, weights);
  });
  fetch();
  ASSERT_EQ(server_->requests().size(), 2U);
  EXPECT_EQ(server_->requests().at(0).authorization, "Bearer secret");
  EXPECT_EQ(server_->requests().at(1).authorization, "");
}

TEST(Hub, RefusesMalformedSettings) {
  EXPECT_THAT(test::error_of([] {
                Hub({"hub.example", "", "org/name", "main"});
              }),
              HasSubstr("HF_ENDPOINT \"hub.example\": must begin with http"));
  EXPECT_THAT(test::error_of([] {
                Hub({"https://hub.example", "two\nlines", "org/name", "main"});
              }),
              HasSubstr("(HF_TOKEN, or its file) holds a blank"));
}

}  // namespace
}  // namespace layerboost
