#include "eval/retrieval.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <optional>

#include "base/error.h"
#include "base/random.h"
#include "generate/bos.h"
#include "text/chat_template.h"

namespace layerboost {
namespace {

/// What facts are made of.
namespace pool {
constexpr std::array<const char*, 24> people = {
    "Anna",  "Boris",  "Clara",  "David", "Elena", "Felix", "Greta", "Henry",  "Irene", "Jacob",  "Karen",  "Leonid",
    "Maria", "Nathan", "Olivia", "Peter", "Rosa",  "Simon", "Tanya", "Victor", "Wanda", "Xavier", "Yvonne", "Zoltan"};
constexpr std::array<const char*, 24> towns = {"Lisbon", "Oslo",   "Vienna",  "Madrid", "Dublin", "Athens",
                                               "Prague", "Warsaw", "Geneva",  "Munich", "Naples", "Boston",
                                               "Dallas", "Denver", "Toronto", "Sydney", "Bombay", "Cairo",
                                               "Havana", "Lima",   "Moscow",  "Tokyo",  "Seoul",  "Manila"};
constexpr std::array<const char*, 24> words = {"hammer", "violin", "candle", "basket", "ladder",   "mirror",
                                               "pillow", "rocket", "saddle", "teapot", "umbrella", "wallet",
                                               "anchor", "bottle", "carpet", "drum",   "engine",   "feather",
                                               "guitar", "helmet", "island", "jacket", "kettle",   "lantern"};
constexpr std::array<const char*, 16> things = {
    "the blue house", "the old library", "the north gate",   "the small garden",   "the red boat",    "the grain store",
    "the east tower", "the water mill",  "the stone bridge", "the bakery",         "the post office", "the chapel",
    "the long barn",  "the museum",      "the harbour",      "the railway station"};
constexpr std::array<const char*, 12> colours = {"red",   "blue", "green", "yellow", "white",  "black",
                                                 "brown", "grey", "pink",  "orange", "purple", "silver"};
constexpr std::array<const char*, 12> adjectives = {"patient", "clever", "tired",  "famous", "lonely", "cheerful",
                                                    "wooden",  "golden", "narrow", "broken", "heavy",  "ancient"};
constexpr std::array<const char*, 12> workers = {"gardener", "captain", "teacher", "painter", "farmer", "tailor",
                                                 "baker",    "doctor",  "hunter",  "sailor",  "miller", "singer"};
constexpr std::array<const char*, 8> deeds = {"counts",   "paints", "carries", "repairs",
                                              "collects", "sells",  "hides",   "cleans"};
constexpr std::array<const char*, 8> counts = {"two", "three", "four", "five", "six", "seven", "eight", "nine"};
constexpr std::array<const char*, 4> sides = {"behind", "near", "under", "beside"};
}  // namespace pool

template <std::size_t N>
std::string one_of(const std::array<const char*, N>& list, Random& random) {
  return list[random.below(N)];
}

std::string first_half(Random& random) {
  return fmt::format("The {} {} {} {} {} {}s", one_of(pool::adjectives, random), one_of(pool::workers, random),
                     one_of(pool::deeds, random), one_of(pool::counts, random), one_of(pool::adjectives, random),
                     one_of(pool::words, random));
}

std::string draw(NeedleKey key, Random& random) {
  switch (key) {
    case NeedleKey::person:
      return one_of(pool::people, random);
    case NeedleKey::thing:
      return one_of(pool::things, random);
    case NeedleKey::colour:
      return one_of(pool::colours, random);
    case NeedleKey::first_half:
      return first_half(random);
    default:
      return "";
  }
}

std::string draw(NeedleValue value, Random& random) {
  switch (value) {
    case NeedleValue::digits4:
      return std::to_string(1000 + random.below(9000));
    case NeedleValue::digits5:
      return std::to_string(10000 + random.below(90000));
    case NeedleValue::word:
      return one_of(pool::words, random);
    case NeedleValue::town:
      return one_of(pool::towns, random);
    default:
      return fmt::format("{} the {} {}", one_of(pool::sides, random), one_of(pool::adjectives, random),
                         one_of(pool::words, random));
  }
}

struct Fact {
  std::string key, value;
};

/// `count` facts of a wording: no key and no value twice.
std::vector<Fact> draw_facts(const RetrievalWording& wording, int count, Random& random) {
  std::vector<Fact> facts;
  while (std::ssize(facts) < count) {
    const Fact fact = {draw(wording.key, random), draw(wording.value, random)};
    const bool known = std::any_of(facts.begin(), facts.end(), [&](const Fact& other) {
      return (other.key == fact.key && wording.key != NeedleKey::none) || other.value == fact.value;
    });
    if (!known) facts.push_back(fact);
  }
  return facts;
}

std::string replaced(std::string text, std::string_view what, std::string_view by) {
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + by.size()))
    text.replace(at, what.size(), by);
  return text;
}

std::string filled(const char* pattern, const Fact& fact) {
  return replaced(replaced(pattern, "{k}", fact.key), "{v}", fact.value);
}

constexpr int rows_of_a_table = 5;
constexpr int several_facts = 3;

/// A statement, and where in the filler it stands.
struct Statement {
  std::string text;
  double depth;
};

/// An item in words, but for its filler.
struct Story {
  std::string header;
  std::vector<Statement> statements;  // by depth
  std::string question, lead, answer;
};

Story tell(const RetrievalWording& wording, double depth, Random& random) {
  Story story;
  story.header = wording.header;
  const int count = wording.kind == NeedleKind::row       ? rows_of_a_table
                    : wording.kind == NeedleKind::several ? several_facts
                                                          : 1;
  const std::vector<Fact> facts = draw_facts(wording, count, random);
  const Fact& asked = facts[static_cast<std::size_t>(random.below(static_cast<std::uint64_t>(count)))];
  if (wording.kind == NeedleKind::row) {
    std::string rows;
    for (const Fact& fact : facts) rows += filled(wording.row, fact);
    story.statements = {{replaced(wording.fact, "{rows}", rows), depth}};
  } else {
    for (const Fact& fact : facts)
      story.statements.push_back({filled(wording.fact, fact), &fact == &asked ? depth : random.uniform()});
    std::stable_sort(story.statements.begin(), story.statements.end(),
                     [](const Statement& a, const Statement& b) { return a.depth < b.depth; });
  }
  story.question = filled(wording.question, asked);
  story.lead = filled(wording.lead, asked);
  story.answer = wording.gap + asked.value;
  return story;
}

std::string_view without_space(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \n");
  return begin == std::string_view::npos ? std::string_view() : text.substr(begin);
}

/// FillerText with its pieces' tokens counted, each piece by itself, but as one that goes on from another.
struct CountedFiller {
  const FillerText& pieces;
  std::vector<int> tokens;

  CountedFiller(const Tokenizer& tokenizer, const FillerText& filler) : pieces(filler) {
    for (const std::string& piece : pieces) tokens.push_back(static_cast<int>(tokenizer.encode_rest(piece).size()));
    if (std::accumulate(tokens.begin(), tokens.end(), std::int64_t{0}) == 0)
      fail("the model's vocabulary can't write the text that facts are to be hidden in");
  }
};

/// Some consecutive pieces; behind the last one the first follows.
struct Stretch {
  std::size_t first = 0, count = 0;
};

/// The story with this filler, up to its question.
std::string body_of(const Story& story, const FillerText& filler, Stretch stretch) {
  std::string text = story.header;
  auto next = story.statements.begin();
  for (std::size_t i = 0; i <= stretch.count; ++i) {
    while (next != story.statements.end() &&
           std::lround(next->depth * static_cast<double>(stretch.count)) <= static_cast<long>(i))
      text += (next++)->text;
    if (i < stretch.count) text += filler[(stretch.first + i) % filler.size()];
  }
  return text + story.question;
}

/// Makes the prompts of one tokenizer.
class Writer {
 public:
  Writer(const Tokenizer& tokenizer, const RetrievalOptions& options) : tokenizer_(tokenizer), options_(options) {
    try {
      chat_.emplace(tokenizer);
    } catch (const Error&) {  // plain texts alone
    }
  }

  [[nodiscard]] bool chats() const { return chat_.has_value(); }

  /// Nothing where the length is too short for the story, or the vocabulary can't write the answer.
  [[nodiscard]] std::optional<RetrievalItem> item(const Story& story, bool chat, const CountedFiller& filler,
                                                  std::size_t first) const {
    const int around = static_cast<int>(encode(story, chat, filler, {first, 0}).size());
    Stretch stretch{first, 0};
    for (int left = options_.length - around;; ++stretch.count) {
      left -= filler.tokens[(first + stretch.count) % filler.pieces.size()];
      if (left < 0) break;
    }
    std::vector<TokenId> prompt;
    for (; stretch.count > 0; --stretch.count) {  // pieces put together have other tokens than alone
      prompt = encode(story, chat, filler, stretch);
      if (std::ssize(prompt) <= options_.length) break;
    }
    if (stretch.count == 0) return std::nullopt;
    RetrievalItem item;
    item.chat = chat;
    const std::vector<TokenId> whole = encode(story, chat, filler, stretch, true);
    const auto border = std::mismatch(prompt.begin(), prompt.end(), whole.begin(), whole.end()).second;
    item.prompt.assign(whole.begin(), border);
    item.answer.assign(border, whole.end());
    if (item.answer.empty()) return std::nullopt;
    return item;
  }

 private:
  [[nodiscard]] std::vector<TokenId> encode(const Story& story, bool chat, const CountedFiller& filler, Stretch stretch,
                                            bool with_answer = false) const {
    std::string text(without_space(body_of(story, filler.pieces, stretch)));
    const std::string answer = with_answer ? story.answer : "";
    if (!chat) return encode_with_one_bos(tokenizer_, text + story.lead + answer, options_.bos);
    ChatInput input;
    input.messages.push_back({{"role", "user"}, {"content", std::move(text)}});
    std::string reply = story.lead + answer;
    return tokenizer_.encode(chat_->render(input) + std::string(without_space(reply)), true);
  }

  const Tokenizer& tokenizer_;
  const RetrievalOptions& options_;
  std::optional<ChatTemplate> chat_;
};

template <typename Value>
double mean_of(const std::vector<RetrievalRow>& rows, bool chat, Value value) {
  double sum = 0;
  int count = 0;
  for (const RetrievalRow& row : rows)
    if (row.chat == chat) sum += value(row), ++count;
  return sum / count;
}

}  // namespace

FillerText repeated_filler() {
  return {" The grass is green.", " The sky is blue.", " The sun is yellow.", " Here we go.", " There and back again."};
}

FillerText filler_of(std::string_view text, std::size_t most) {
  constexpr std::size_t longest = 400;  // bytes of a piece; there is a place for a fact at least so often
  text = text.substr(0, most);
  FillerText pieces;
  std::size_t begin = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool blank = text[i] == ' ' || text[i] == '\n';
    if (!blank || i == begin) continue;
    const char before = text[i - 1];
    const bool ends = before == '.' || before == '!' || before == '?';
    if (!ends && text[i] != '\n' && i - begin < longest) continue;
    pieces.emplace_back(text.substr(begin, i - begin));
    begin = i;
  }
  return pieces;
}

std::vector<RetrievalItem> retrieval_items(const Tokenizer& tokenizer, std::span<const FillerText> fillers,
                                           const RetrievalOptions& options) {
  LB_CHECK(!fillers.empty());
  std::vector<CountedFiller> counted;
  for (const FillerText& filler : fillers) {
    LB_CHECK(!filler.empty());
    counted.emplace_back(tokenizer, filler);
  }
  const Writer writer(tokenizer, options);
  std::vector<RetrievalItem> items;
  for (const int number : wordings_for(options.use)) {
    const RetrievalWording& wording = all_wordings()[static_cast<std::size_t>(number)];
    const Random of_wording = Random(options.seed).fork(static_cast<std::uint64_t>(number));
    std::vector<std::size_t> starts;
    Random places = of_wording.fork(0);
    for (const CountedFiller& filler : counted)
      starts.push_back(static_cast<std::size_t>(places.below(filler.pieces.size())));
    for (const bool chat : {false, true}) {
      if (chat && !writer.chats()) continue;
      const std::size_t before = items.size();
      bool fits = true;
      for (int i = 0; i < options.depths && fits; ++i) {
        Random random = of_wording.fork(static_cast<std::uint64_t>(i) + 1);
        const double depth = (i + 0.5) / options.depths;
        const Story story = tell(wording, depth, random);
        const std::size_t at = static_cast<std::size_t>(i) % counted.size();
        std::optional<RetrievalItem> item = writer.item(story, chat, counted[at], starts[at]);
        fits = item.has_value();
        if (!fits) break;
        item->wording = number;
        item->depth = depth;
        items.push_back(std::move(*item));
      }
      if (!fits) items.resize(before);
    }
  }
  if (items.empty()) fail("`retrieval` {}: too short for any of its questions in this model's tokens", options.length);
  return items;
}

std::vector<RetrievalItem> choosing_questions(const Tokenizer& tokenizer, std::span<const std::vector<TokenId>> texts,
                                              int length, int count, std::uint64_t seed, TokenId bos) {
  std::string prose;
  for (const std::vector<TokenId>& text : texts) prose += tokenizer.decode(text) + "\n";
  std::vector<FillerText> fillers = {repeated_filler()};
  if (FillerText pieces = filler_of(prose); !pieces.empty()) fillers.push_back(std::move(pieces));
  const std::vector<RetrievalItem> items =
      retrieval_items(tokenizer, fillers, {WordingUse::choose, length, retrieval_depths, seed, bos});
  const std::size_t rows = items.size() / retrieval_depths;  // a wording in one form
  std::vector<RetrievalItem> questions;
  for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
    const std::size_t stride = 7;
    const std::size_t row = i * stride % rows, depth = (i * 3 + i / rows) % retrieval_depths;
    questions.push_back(items[row * retrieval_depths + depth]);
  }
  return questions;
}

std::vector<TokenId> retrieval_text(const Tokenizer& tokenizer, const FillerText& filler, int length,
                                    std::uint64_t seed, TokenId bos) {
  LB_CHECK(!filler.empty());
  Random random(seed);
  const std::vector<int> wordings = wordings_for(WordingUse::choose);
  // Facts and questions take a third of the text, at most.
  std::vector<Statement> statements;
  std::string questions;
  int left = length / 3;
  for (int tries = 0; tries < 3 * std::ssize(wordings); ++tries) {
    const int number = wordings[random.below(wordings.size())];
    const Story story = tell(all_wordings()[static_cast<std::size_t>(number)], random.uniform(), random);
    std::string all = story.question + story.lead + story.answer + ".";
    std::string question = all;
    for (const Statement& statement : story.statements) all += statement.text;
    const int tokens = static_cast<int>(tokenizer.encode(all).size());
    if (tokens > left) continue;
    left -= tokens;
    questions += question;
    statements.insert(statements.end(), story.statements.begin(), story.statements.end());
  }
  if (statements.empty()) fail("`length` {}: too short for facts to be stated and asked for", length);
  std::stable_sort(statements.begin(), statements.end(),
                   [](const Statement& a, const Statement& b) { return a.depth < b.depth; });
  const Story story = {"", statements, questions, "", ""};
  const auto written = [&](std::size_t first, std::size_t count) {
    return encode_with_one_bos(tokenizer, body_of(story, filler, {first, count}), bos);
  };
  // A little too much, cut at the front: what is asked for stands at the end.
  const std::size_t first = random.below(filler.size());
  std::size_t count = 0;
  for (auto tokens = static_cast<int>(written(first, 0).size()); tokens < length; ++count) {
    if (count > filler.size() && tokens == 0)
      fail("the model's vocabulary can't write the text that facts are to be hidden in");
    tokens += static_cast<int>(tokenizer.encode_rest(filler[(first + count) % filler.size()]).size());
  }
  std::vector<TokenId> tokens = written(first, count);
  for (; std::ssize(tokens) < length; ++count) tokens = written(first, count + 1);
  tokens.erase(tokens.begin(), tokens.end() - length);
  if (bos >= 0) tokens.front() = bos;
  return tokens;
}

void check_retrieval(const Tokenizer& tokenizer, int length, int max_positions) {
  const FillerText filler = repeated_filler();
  RetrievalOptions options;
  options.length = length;
  options.depths = 1;
  for (const RetrievalItem& item : retrieval_items(tokenizer, {&filler, 1}, options))
    if (max_positions > 0 && item.prompt.size() + item.answer.size() > static_cast<std::size_t>(max_positions))
      fail("`retrieval` {}: with the answer more than the model's {} positions", length, max_positions);
}

double RetrievalResult::found(bool chat) const {
  return mean_of(rows, chat, [](const RetrievalRow& row) { return row.found.mean; });
}

double RetrievalResult::log_prob(bool chat) const {
  return mean_of(rows, chat, [](const RetrievalRow& row) { return row.log_prob.mean; });
}

double RetrievalResult::margin(bool chat) const {
  return mean_of(rows, chat, [](const RetrievalRow& row) { return row.margin.mean; });
}

const RetrievalRow* RetrievalResult::worst(bool chat) const {
  const RetrievalRow* worst = nullptr;
  for (const RetrievalRow& row : rows)
    if (row.chat == chat && (worst == nullptr || row.found.mean < worst->found.mean)) worst = &row;
  return worst;
}

RetrievalKept retrieval_kept(const RetrievalResult& unchanged, const RetrievalResult& changed, bool chat) {
  LB_CHECK(unchanged.rows.size() == changed.rows.size());
  RetrievalKept kept{1, 1, -1};
  double before = 0, after = 0;
  for (std::size_t i = 0; i < unchanged.rows.size(); ++i) {
    const RetrievalRow &base = unchanged.rows[i], &row = changed.rows[i];
    LB_CHECK(base.wording == row.wording && base.chat == row.chat);
    if (base.chat != chat) continue;
    before += base.found.mean;
    after += row.found.mean;
    if (base.found.mean < 0.5) continue;
    const double share = row.found.mean / base.found.mean;
    if (kept.worst_wording < 0 || share < kept.worst) kept.worst = share, kept.worst_wording = row.wording;
  }
  kept.share = after / before;
  return kept;
}

RetrievalResult run_retrieval(Subject& subject, std::span<const RetrievalItem> items, int length) {
  std::vector<Request> requests;
  for (const RetrievalItem& item : items) requests.push_back({item.prompt, item.answer});
  return summarize_retrieval(items, score_requests(subject, requests, fmt::format("retrieval at {}", length)), length);
}

RetrievalResult summarize_retrieval(std::span<const RetrievalItem> items, std::span<const Score> scores, int length) {
  LB_CHECK(!items.empty() && items.size() == scores.size());
  RetrievalResult result{length, {}};
  for (std::size_t first = 0, end = 0; first < items.size(); first = end) {
    std::vector<double> found, log_prob, margin;
    for (; end < items.size() && items[end].wording == items[first].wording && items[end].chat == items[first].chat;
         ++end) {
      found.push_back(scores[end].greedy ? 1 : 0);
      log_prob.push_back(scores[end].log_likelihood);
      margin.push_back(scores[end].margin);
    }
    result.rows.push_back(
        {items[first].wording, items[first].chat, estimate(found), estimate(log_prob), estimate(margin)});
  }
  return result;
}

}  // namespace layerboost
