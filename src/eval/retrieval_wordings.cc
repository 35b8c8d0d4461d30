#include "eval/retrieval_wordings.h"

#include <algorithm>

#include "base/random.h"

namespace layerboost {
namespace {

using Kind = NeedleKind;
using Key = NeedleKey;
using Value = NeedleValue;

constexpr const char* quiz =
    "There is an important info hidden inside a lot of irrelevant text. Find it and memorize it. I will quiz you about "
    "the important information there.";
constexpr const char* notes = "These are my notes of today. One line among them matters, and I will ask for it.";

constexpr RetrievalWording wordings[] = {
    // A number.
    {Kind::number, Key::none, Value::digits5, quiz, " The pass key is {v}. Remember it. {v} is the pass key.", nullptr,
     " What is the pass key?", " The pass key is", " "},
    {Kind::number, Key::none, Value::digits5, quiz, " The code of the safe is {v}.", nullptr,
     "\nWhat is the code of the safe?", " The code of the safe is", " "},
    {Kind::number, Key::person, Value::digits4, "", " The ticket number of {k} is {v}.", nullptr,
     "\n\nQuestion: What is the ticket number of {k}?", "\nAnswer:", " "},
    {Kind::number, Key::person, Value::digits4, notes, " Locker {v} belongs to {k}.", nullptr,
     " Which locker belongs to {k}?", " The locker of {k} is locker", " "},
    {Kind::number, Key::thing, Value::digits4, "", "\n- The number of {k} is {v}.\n", nullptr,
     "\n\nWhich number does {k} have? Answer with the number only.\n", "", ""},
    {Kind::number, Key::none, Value::digits5, "", " Please remember the number {v}; it will be needed later.", nullptr,
     "\n\nWhich number had to be remembered?", " The number to be remembered is", " "},
    // A word.
    {Kind::word, Key::none, Value::word, quiz, " The secret word is {v}. Don't forget that the secret word is {v}.",
     nullptr, " What is the secret word?", " The secret word is", " "},
    {Kind::word, Key::none, Value::word, "", " The password of the archive is \"{v}\".", nullptr,
     "\nWhat is the password of the archive?", "\nThe password of the archive is \"", ""},
    {Kind::word, Key::person, Value::word, notes, " {k} keeps a {v} in the drawer.", nullptr,
     "\n\nWhat does {k} keep in the drawer?", " {k} keeps a", " "},
    {Kind::word, Key::none, Value::word, notes, "\n* code name of the project: {v}\n", nullptr,
     "\n\nWhat is the code name of the project?", "\n* code name of the project:", " "},
    {Kind::word, Key::thing, Value::word, "", " Behind {k} somebody has hidden a {v}.", nullptr,
     " What has somebody hidden behind {k}?", " Behind {k} somebody has hidden a", " "},
    {Kind::word, Key::person, Value::word, "", " When the bell rings, {k} always says the word \"{v}\".", nullptr,
     "\n\nQuestion: Which word does {k} always say when the bell rings? Answer with that word only.\nAnswer:", "", " "},
    // A name with a place.
    {Kind::place, Key::person, Value::town, "", " {k} lives in {v}.", nullptr, " Where does {k} live?", " {k} lives in",
     " "},
    {Kind::place, Key::person, Value::town, quiz, " {k} was born in the town of {v}.", nullptr,
     "\nIn which town was {k} born?", " {k} was born in the town of", " "},
    {Kind::place, Key::person, Value::town, "", " Last summer {k} travelled to {v}.", nullptr,
     "\n\nQuestion: Where did {k} travel last summer?", "\nAnswer: {k} travelled to", " "},
    {Kind::place, Key::person, Value::town, notes, "\n- name: {k}, office: {v}\n", nullptr,
     "\n\nIn which town is the office of {k}?", "\n- name: {k}, office:", " "},
    {Kind::place, Key::person, Value::town, "", " A letter for {k} has arrived from {v}.", nullptr,
     " From which town has a letter for {k} arrived?", " The letter for {k} has arrived from", " "},
    {Kind::place, Key::person, Value::town, "", " The next concert of {k} will be in {v}.", nullptr,
     "\n\nQuestion: In which town will the next concert of {k} be? Answer with the town only.\nAnswer:", "", " "},
    // A row of a table.
    {Kind::row, Key::person, Value::digits4, "", "\n\n| name | number |\n|---|---|\n{rows}\n", "| {k} | {v} |\n",
     "\n\nRepeat the row of {k} in the table.", "\n| {k} |", " "},
    {Kind::row, Key::person, Value::town, "", "\n\nname,town\n{rows}\n", "{k},{v}\n", "\n\nWhich line begins with {k}?",
     "\n{k},", ""},
    {Kind::row, Key::thing, Value::digits4, notes, "\n\nPrices:\n{rows}\n", "- {k}: {v} dollars\n",
     " What is the price of {k}?", " The price of {k} is", " "},
    {Kind::row, Key::colour, Value::word, quiz, "\n\nWhat is in the boxes:\n{rows}\n", "The {k} box: {v}\n",
     "\nWhat is in the {k} box?", " The {k} box:", " "},
    {Kind::row, Key::person, Value::digits4, quiz, "\n\n{rows}\n", "{k} has {v} points.\n",
     "\n\nQuestion: How many points does {k} have?", "\nAnswer: {k} has", " "},
    {Kind::row, Key::colour, Value::town, "", "\n\n| line | ends in |\n|---|---|\n{rows}\n", "| {k} line | {v} |\n",
     " Where does the {k} line end?", " | {k} line |", " "},
    // One of several facts.
    {Kind::several, Key::person, Value::digits4, quiz, " The number of {k} is {v}.", nullptr,
     " What is the number of {k}?", " The number of {k} is", " "},
    {Kind::several, Key::person, Value::word, "", " {k} has bought a {v}.", nullptr, "\nWhat has {k} bought?",
     " {k} has bought a", " "},
    {Kind::several, Key::person, Value::town, notes, " {k} has moved to {v}.", nullptr,
     "\n\nQuestion: Where has {k} moved to?", "\nAnswer: {k} has moved to", " "},
    {Kind::several, Key::colour, Value::word, "", "\n- The {k} key opens the {v}.\n", nullptr,
     "\n\nWhat does the {k} key open?", "\n- The {k} key opens the", " "},
    {Kind::several, Key::thing, Value::digits4, "", " The inventory number of {k} is {v}.", nullptr,
     " Which inventory number does {k} have?", " The inventory number of {k} is", " "},
    {Kind::several, Key::colour, Value::town, quiz, " The {k} train goes to {v}.", nullptr,
     "\nWhere does the {k} train go?", " The {k} train goes to", " "},
    // A sentence to be repeated.
    {Kind::passage, Key::first_half, Value::second_half, "", " {k} {v}.", nullptr,
     "\n\nOne sentence from above again:", " {k}", " "},
    {Kind::passage, Key::first_half, Value::second_half, quiz, " {k} {v}.", nullptr, " As I said before:", " {k}", " "},
    {Kind::passage, Key::first_half, Value::second_half, notes, "\n* {k} {v}\n", nullptr,
     "\n\nRepeat the line with the star.", "\n* {k}", " "},
    {Kind::passage, Key::first_half, Value::second_half, "", "\n\n{k} {v}.\n\n", nullptr,
     "\nRepeat the paragraph that is a single sentence.", "\n\n{k}", " "},
    {Kind::passage, Key::first_half, Value::second_half, "", " \"{k} {v}.\"", nullptr,
     " What was said in quotation marks?", " \"{k}", " "},
    {Kind::passage, Key::first_half, Value::second_half, "", " Remember this sentence: {k} {v}.", nullptr,
     "\n\nQuestion: Which sentence had to be remembered?", "\nAnswer: {k}", " "},
};

}  // namespace

std::string_view name_of(NeedleKind kind) {
  switch (kind) {
    case NeedleKind::number:
      return "number";
    case NeedleKind::word:
      return "word";
    case NeedleKind::place:
      return "place";
    case NeedleKind::row:
      return "table row";
    case NeedleKind::several:
      return "one of several";
    default:
      return "passage";
  }
}

std::string label_of(const RetrievalWording& wording) {
  std::string label;
  for (const char* c = wording.question; *c != '\0'; ++c) {
    if (*c == '{') {
      label += "...";
      c += 2;
    } else if (*c != '\n' && *c != ' ') {
      label += *c;
    } else if (!label.empty() && label.back() != ' ') {
      label += ' ';
    }
  }
  if (label.ends_with(' ')) label.pop_back();
  return label;
}

std::span<const RetrievalWording> all_wordings() { return wordings; }

std::vector<int> wordings_for(WordingUse use, std::uint64_t split) {
  std::vector<int> chosen;
  for (int begin = 0, end = 0; begin < static_cast<int>(std::size(wordings)); begin = end) {
    while (end < static_cast<int>(std::size(wordings)) && wordings[end].kind == wordings[begin].kind) ++end;
    std::vector<int> order;
    for (int i = begin; i < end; ++i) order.push_back(i);
    Random random = Random(split).fork(static_cast<std::uint64_t>(begin));
    for (int i = end - begin - 1; i > 0; --i)
      std::swap(order[static_cast<std::size_t>(i)],
                order[static_cast<std::size_t>(random.below(static_cast<std::uint64_t>(i) + 1))]);
    if (begin == 0) std::iter_swap(order.begin(), std::find(order.begin(), order.end(), 0));
    const auto half = order.begin() + (end - begin) / 2;
    chosen.insert(chosen.end(), use == WordingUse::choose ? order.begin() : half,
                  use == WordingUse::choose ? half : order.end());
  }
  std::sort(chosen.begin(), chosen.end());
  return chosen;
}

}  // namespace layerboost
