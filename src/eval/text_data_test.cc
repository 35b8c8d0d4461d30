#include "eval/text_data.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/error_for_tests.h"
#include "base/temporary_path_for_tests.h"
#include "eval/task_file.h"
#include "eval/tokenizer_for_tests.h"

namespace layerboost {
namespace {

/// A file with this content that goes away with the object.
class TemporaryFile {
 public:
  TemporaryFile(const std::string& name, std::string_view content) : path_(test::temporary_path(name)) {
    write_file(path_, content);
  }
  ~TemporaryFile() { fs::remove(path_); }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  [[nodiscard]] const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

TEST(TextData, JsonLinesJoinTheirTexts) {
  const std::string lines = "{\"text\": \"one\"}\n\n{\"id\": 3, \"text\": \"t\\u00e9\\n\"}\r\n{\"text\": \"\"}";
  const TemporaryFile named("lines.jsonl", lines), unnamed("lines.data", lines);
  EXPECT_EQ(read_text(named.path()).text, "one\nt\u00E9\n\n\n");
  EXPECT_EQ(read_text(unnamed.path()).text, "one\nt\u00E9\n\n\n");
  EXPECT_EQ(read_text(named.path()).hash, read_text(unnamed.path()).hash);
}

TEST(TextData, OtherFilesAreText) {
  const TemporaryFile plain("plain.txt", "{ not json\nat all"), object("object.json", "{\"a\": 1}\n");
  EXPECT_EQ(read_text(plain.path()).text, "{ not json\nat all");
  EXPECT_EQ(read_text(object.path()).text, "{\"a\": 1}\n");
}

TEST(TextData, ByteOrderMarksAreNoText) {
  const TemporaryFile text("marked.txt",
                           "\xEF\xBB\xBF"
                           "word"),
      lines("marked.jsonl", "\xEF\xBB\xBF{\"text\": \"one\"}\n"),
      items("items.jsonl", "\xEF\xBB\xBF{\"context\": \"the last\", \"continuation\": \" word\"}\n");
  EXPECT_EQ(read_text(text.path()).text, "word");
  EXPECT_EQ(read_text(lines.path()).text, "one\n");
  EXPECT_EQ(read_task(items.path(), 0).items.size(), 1U);
}

TEST(TextData, Utf16IsRefused) {
  const std::string little("\xFF\xFE{\0}\0", 6), big("\xFE\xFF\0{\0}", 6);
  for (const std::string& content : {little, big}) {
    for (const char* const name : {"windows.txt", "windows.jsonl"}) {
      const TemporaryFile file(name, content);
      EXPECT_NE(test::error_of([&] { read_text(file.path()); }).find("save it as UTF-8"), std::string::npos);
      EXPECT_NE(test::error_of([&] { read_task(file.path(), 0); }).find("save it as UTF-8"), std::string::npos);
    }
  }
}

TEST(TextData, ErrorsNameTheLine) {
  const TemporaryFile bad("bad.jsonl", "{\"text\": \"a\"}\n{\"text\": 4}\n"), broken("broken.jsonl", "{\"text\"\n");
  EXPECT_NE(test::error_of([&] { read_text(bad.path()); }).find("bad.jsonl:2: \"text\""), std::string::npos);
  EXPECT_NE(test::error_of([&] { read_text(broken.path()); }).find("broken.jsonl:1: not valid JSON"),
            std::string::npos);
  const TemporaryFile blank("blank.jsonl", "\n\n");
  EXPECT_NE(test::error_of([&] { read_text(blank.path()); }).find("no text"), std::string::npos);
  EXPECT_THROW(read_text("/nonexistent/file.txt"), Error);
}

TEST(TextData, FirstTokensAreThoseOfTheWholeText) {
  std::string text;
  for (int i = 0; i < 3000; ++i) text += i % 7 == 0 ? " ab" : i % 5 == 0 ? "a b" : " xyz\n";
  const Tokenizer tokenizer(tokenizer_data_for_tests());
  const std::vector<TokenId> all = tokenizer.encode(text);
  for (const std::size_t count : {std::size_t{1}, std::size_t{100}, std::size_t{2500}, all.size(), all.size() + 5}) {
    const std::vector<TokenId> first = first_tokens(tokenizer, text, count);
    ASSERT_EQ(first.size(), std::min(count, all.size()));
    EXPECT_TRUE(std::equal(first.begin(), first.end(), all.begin()));
  }
  EXPECT_EQ(first_tokens(tokenizer, text, 0), all);
}

TEST(TaskFile, ThreeKindsOfItem) {
  const TemporaryFile choices("choices.jsonl", R"({"context": "c", "choices": [" a", " b"], "gold": 1, "id": 7})"
                                               "\n\n"
                                               R"({"contexts": ["x", "y", "z"], "continuation": " w", "gold": 2})");
  const Task task = read_task(choices.path());
  EXPECT_EQ(task.name, choices.path().stem().string());
  EXPECT_EQ(task.kind, TaskKind::multiple_choice);
  ASSERT_EQ(task.items.size(), 2U);
  EXPECT_EQ(task.items[0].pairs[1].context + task.items[0].pairs[1].continuation, "c b");
  EXPECT_EQ(task.items[1].pairs[2].context + task.items[1].pairs[2].continuation, "z w");
  EXPECT_EQ(task.items[1].gold, 2);
  EXPECT_EQ(read_task(choices.path(), 1).items.size(), 1U);

  const TemporaryFile word("word.jsonl", R"({"context": "the last", "continuation": " word"})");
  EXPECT_EQ(read_task(word.path()).kind, TaskKind::last_word);
}

TEST(TaskFile, ErrorsNameTheLine) {
  const std::string good = R"({"context": "c", "choices": [" a", " b"], "gold": 1})";
  const std::pair<std::string, std::string> cases[] = {
      {R"({"context": "c", "choices": [" a", " b"], "gold": 2})", ":2: \"gold\" is 2; it must be an index from 0 to 1"},
      {R"({"context": "c", "choices": [" a", " b"], "gold": -1})", ":2: \"gold\" is -1"},
      {R"({"context": "c", "choices": [" a", " b"]})", ":2: missing key \"gold\""},
      {R"({"context": "c", "choices": [" a"], "gold": 0})", ":2: at least two choices"},
      {R"({"context": "c", "choices": [" a", " "], "gold": 0})", ":2: an empty choice"},
      {R"({"context": "c", "choices": " a", "gold": 0})", ":2: \"choices\" has the wrong type"},
      {R"({"context": "c", "continuation": " d"})", ":2: items of several kinds"},
      {R"({"question": "?"})", ":2: an item has"},
      {R"([1])", ":2: expected a JSON object"},
      {R"({"context": )", ":2: not valid JSON"}};
  for (const auto& [line, expected] : cases) {
    const TemporaryFile file("task.jsonl", good + "\n" + line + "\n");
    const std::string message = test::error_of([&] { read_task(file.path()); });
    EXPECT_NE(message.find(expected), std::string::npos) << line << ": " << message;
    EXPECT_EQ(message.find('\n'), std::string::npos);
  }
  const TemporaryFile empty("empty.jsonl", "\n");
  EXPECT_NE(test::error_of([&] { read_task(empty.path()); }).find("no items"), std::string::npos);
}

TEST(TaskFile, ReadsWhatIsToBeWritten) {
  const TemporaryFile file(
      "task.jsonl", "{\"prompt\": \"p\", \"answer\": [\"1\", \"one\"], \"pattern\": \"[0-9]\", \"stop\": \"\\n\"}\n");
  const Task task = read_task(file.path());
  EXPECT_EQ(task.kind, TaskKind::generate);
  const WritingTask& writing = task.items.at(0).writing;
  EXPECT_EQ(writing.answers, (std::vector<std::string>{"1", "one"}));
  EXPECT_EQ(writing.stop, std::vector<std::string>{"\n"});
  EXPECT_EQ(writing.max_tokens, 64);
  const std::pair<const char*, const char*> cases[] = {
      {R"({"prompt": "p", "answer": "a", "pattern": "("})", ":1: \"pattern\" is no regular expression"},
      {R"({"prompt": "p", "answer": "a", "max_tokens": 0})", ":1: \"max_tokens\" is 0"},
      {R"({"prompt": "p", "answer": []})", ":1: no answer"}};
  for (const auto& [line, expected] : cases) {
    const TemporaryFile bad("bad.jsonl", line);
    EXPECT_NE(test::error_of([&] { read_task(bad.path()); }).find(expected), std::string::npos) << line;
  }
}

TEST(TaskFile, NamesAreUnique) {
  const TemporaryFile file("twice.jsonl", R"({"context": "the last", "continuation": " word"})");
  const std::string path = file.path().string();
  EXPECT_EQ(read_tasks({path}).size(), 1U);
  EXPECT_THROW(read_tasks({path, path}), Error);
}

}  // namespace
}  // namespace layerboost
